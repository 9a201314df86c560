"""`gateway.toml`: its tables, their defaults, and everything that can be wrong with it."""

from gatewaylog.gateway.config.addresses import Address, BackendUrl
from gatewaylog.gateway.config.apis import ApiConfig, CorsConfig, ResourceConfig, api_label
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
