"""`[[api]]`: what a published API is, where it is found and how it is forwarded."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from gatewaylog.gateway.config.addresses import Backend, Origin
from gatewaylog.gateway.config.values import (
    CertificateFile,
    HeaderName,
    Method,
    OptionalWord,
    Scope,
    Seconds,
    Table,
    Word,
    distinct,
    one_or_several,
    some,
)
from gatewaylog.gateway.labels import api_label
from gatewaylog.gateway.paths import normalised, unroutable

Auth = Literal["required", "none"]
Scheme = Literal["http", "https"]

_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+)*/?")  # RFC 3986 §3.3
_PARAMETER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")


def context(value: str) -> str:
    """Return an API's context in the form in which paths are compared; the root is `/`."""
    path = normalised(value.encode()).decode()
    if not value.startswith("/") or "//" in value or (value != "/" and value.endswith("/")):
        raise ValueError('must begin with "/", have no empty segment and no "/" at the end')
    if unroutable(value.encode()) or not _PATH.fullmatch(path):
        raise ValueError(
            "must be a path alone: no query or fragment, no . or .. segments, no spaces,"
            " and other characters than a URL's percent-encoded"
        )
    return path


def resource_path(value: str) -> str:
    """Return a resource's path in the form in which paths are compared, no slash at its end."""
    path = normalised(value.encode()).decode()
    plain = _PARAMETER.sub("x", path).removesuffix("*")
    if not value.startswith("/") or "//" in value:
        raise ValueError('must begin with "/" and have no empty segment')
    if unroutable(value.encode()) or not _PATH.fullmatch(plain):
        raise ValueError('must be a path like "/items/{id}/*" without query, . or .. segments')
    segments = path.split("/")
    if any("*" in segment for segment in segments[:-1]) or "*" in segments[-1][:-1]:
        raise ValueError('may have "*" only as its last segment')
    if path.endswith("*") and segments[-1] != "*":
        raise ValueError('may have "*" only as its last segment')
    names = [name for segment in segments for name in _PARAMETER.findall(segment)]
    if any("{" in segment and not _PARAMETER.fullmatch(segment) for segment in segments):
        raise ValueError("may have {name} only as whole segments")
    if len(set(names)) < len(names):
        raise ValueError("must give each {name} another name")
    return path.rstrip("/") or "/"


def shape(path: str) -> tuple[str, ...]:
    """Return the segments of a resource's path, `{}` for each parameter whatever its name."""
    return tuple(_PARAMETER.sub("{}", segment) for segment in path.split("/") if segment)


Context = Annotated[str, AfterValidator(context)]
ResourcePath = Annotated[str, AfterValidator(resource_path)]
Methods = Annotated[tuple[Method, ...], AfterValidator(distinct)]


class ResourceConfig(Table):
    """`[[api.resource]]`. No methods: every method. No auth: the API's."""

    path: ResourcePath
    methods: Methods = ()
    auth: Auth | None = None
    scopes: tuple[Scope, ...] = ()


class CorsConfig(Table):
    """`[api.cors]`. `max_age` is seconds.

    `*` in methods or headers allows whatever a preflight asks for.
    """

    origins: Annotated[tuple[Origin, ...], BeforeValidator(one_or_several), AfterValidator(some)]
    methods: tuple[Method, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[HeaderName, ...] = ("authorization", "content-type", "apikey", "x-api-key")
    expose_headers: tuple[HeaderName, ...] = ()
    credentials: bool = False
    max_age: Annotated[int, Field(ge=0, le=86_400)] = 600

    @field_validator("credentials")
    @classmethod
    def _not_for_everyone(cls, value: bool, info: ValidationInfo) -> bool:
        if value and "*" in info.data.get("origins", ()):
            raise ValueError(
                'can\'t be true with the origin "*": name the origins (Fetch standard)'
            )
        if value and "*" in info.data.get("expose_headers", ()):
            raise ValueError('can\'t be true with "*" in expose_headers: name the headers')
        return value


class ApiConfig(Table):
    """`[[api]]`. `suspend` and the timeouts are seconds; `retries` counts further attempts."""

    name: Word
    provider: OptionalWord = ""
    version: OptionalWord = ""
    default_version: bool = False
    context: Context
    backend: Annotated[tuple[Backend, ...], BeforeValidator(one_or_several), AfterValidator(some)]
    balance: Literal["round_robin", "failover"] = "round_robin"
    suspend: Seconds = 30.0
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    connect_timeout: Seconds = 5.0
    response_timeout: Seconds = 60.0
    idle_timeout: Seconds = 60.0
    blocked: bool = False
    schemes: Annotated[tuple[Scheme, ...], AfterValidator(some)] = ("http", "https")
    verbosity: Literal["off", "errors", "events"] = "events"
    preserve_host: bool = False
    tls_ca: CertificateFile = ""
    auth: Auth = "required"
    resource: tuple[ResourceConfig, ...] = ()
    cors: CorsConfig | None = None

    @field_validator("resource")
    @classmethod
    def _scopes_are_asked_for(
        cls, value: tuple[ResourceConfig, ...], info: ValidationInfo
    ) -> tuple[ResourceConfig, ...]:
        for at, resource in enumerate(value):
            if resource.scopes and (resource.auth or info.data.get("auth")) == "none":
                raise ValueError(
                    f"[{at}] has scopes, but auth is none: nobody would be asked for them"
                )
        return value

    @property
    def label(self) -> str:
        """The API field of the log."""
        return api_label(
            self.name,
            provider=self.provider,
            version=self.version,
            default_version=self.default_version,
        )
