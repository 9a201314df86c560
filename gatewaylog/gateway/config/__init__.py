"""`gateway.toml`: its tables, their defaults, and everything that can be wrong with it."""

from gatewaylog.gateway.config.addresses import Address, BackendUrl, Endpoint
from gatewaylog.gateway.config.apis import ApiConfig, CorsConfig, ResourceConfig
from gatewaylog.gateway.config.auth import (
    ApplicationConfig,
    AuthConfig,
    IntrospectionConfig,
    JwtConfig,
)
from gatewaylog.gateway.config.database import DatabaseConfig
from gatewaylog.gateway.config.file import load, parse
from gatewaylog.gateway.config.tables import (
    Config,
    LogConfig,
    RedactConfig,
    SearchConfig,
    ServerConfig,
)
from gatewaylog.gateway.config.throttling import ThrottleConfig
from gatewaylog.gateway.labels import api_label

__all__ = [
    "Address",
    "ApiConfig",
    "ApplicationConfig",
    "AuthConfig",
    "BackendUrl",
    "Config",
    "CorsConfig",
    "DatabaseConfig",
    "Endpoint",
    "IntrospectionConfig",
    "JwtConfig",
    "LogConfig",
    "RedactConfig",
    "ResourceConfig",
    "SearchConfig",
    "ServerConfig",
    "ThrottleConfig",
    "api_label",
    "load",
    "parse",
]
