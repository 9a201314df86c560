"""`gateway.toml`: its tables, their defaults, and everything that can be wrong with it."""

from gatewaylog.gateway.config.addresses import Address, BackendUrl
from gatewaylog.gateway.config.apis import ApiConfig, CorsConfig, ResourceConfig
from gatewaylog.gateway.config.file import load, parse
from gatewaylog.gateway.config.tables import (
    ApplicationConfig,
    AuthConfig,
    Config,
    LogConfig,
    RedactConfig,
    SearchConfig,
    ServerConfig,
)
from gatewaylog.gateway.labels import api_label

__all__ = [
    "Address",
    "ApiConfig",
    "ApplicationConfig",
    "AuthConfig",
    "BackendUrl",
    "Config",
    "CorsConfig",
    "LogConfig",
    "RedactConfig",
    "ResourceConfig",
    "SearchConfig",
    "ServerConfig",
    "api_label",
    "load",
    "parse",
]
