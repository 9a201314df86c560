"""`[auth]` and `[[application]]`: which credentials are accepted, and whose they are."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from gatewaylog.auth.applications import Application
from gatewaylog.gateway.config.addresses import Endpoint
from gatewaylog.gateway.config.apis import Context
from gatewaylog.gateway.config.values import (
    CertificateFile,
    KeyDigest,
    Scope,
    Seconds,
    Table,
    Text,
    distinct,
    key_digest,
    load,
    one_or_several,
    readable,
    some,
)

Kind = Literal["api_keys", "tokens", "jwt", "introspection"]
Algorithm = Literal["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

# What a kind of credential needs, and is used for it.
_MODULES = {
    "tokens": ("sqlalchemy", "gatewaylog.audit.token_store"),
    "jwt": ("joserfc", "gatewaylog.auth.jwt", "gatewaylog.auth.jwks"),
}
_CLAIMS = ("client_id", "azp")  # RFC 9068 §2.2; OpenID Connect Core §2
_LONGEST_CACHE = 3600.0  # seconds
_LONGEST_NAME = 255

Cached = Annotated[float, Field(ge=0, le=_LONGEST_CACHE, allow_inf_nan=False)]
Several = Annotated[tuple[Text, ...], BeforeValidator(one_or_several), AfterValidator(some)]


def client_name(value: str) -> str:
    """Accept a client_id that the token store can keep; empty is none."""
    if len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError(f"must be at most {_LONGEST_NAME} printable characters")
    return value


def optional_digest(value: str) -> str:
    """Accept the stored form of a secret; empty is none."""
    return key_digest(value) if value else value


ClientName = Annotated[str, AfterValidator(client_name)]
OptionalDigest = Annotated[str, AfterValidator(optional_digest)]


class JwtConfig(Table):
    """`[auth.jwt]`. `leeway` and the times are seconds; `jwks` is a file or a URL."""

    jwks: Text
    issuer: Text
    audience: Several
    algorithms: Annotated[tuple[Algorithm, ...], AfterValidator(some)] = (
        "RS256",
        "ES256",
        "EdDSA",
        "Ed25519",
    )
    leeway: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 30.0
    client_claim: Several = _CLAIMS
    user_claim: Text = "sub"
    scope_claim: Several = ("scope", "scp")
    cache: Annotated[float, Field(ge=60, le=86_400, allow_inf_nan=False)] = 600.0
    timeout: Seconds = 2.0
    tls_ca: CertificateFile = ""

    @field_validator("jwks")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if is_url(value):
            Endpoint.parse(value)
        else:
            _check_keys(readable(value))
        return value


class IntrospectionConfig(Table):
    """`[auth.introspection]`: an endpoint of RFC 7662, and as whom it is asked.

    `cache`, `timeout` and `suspend` are seconds. No `audience`: any.
    """

    url: Text
    client_id: Text
    client_secret: str = Field(default="", repr=False)
    client_secret_file: str = Field(default="", validate_default=True)
    audience: Annotated[tuple[Text, ...], BeforeValidator(one_or_several)] = ()
    client_claim: Several = _CLAIMS
    user_claim: Text = "username"
    cache: Cached = 30.0
    timeout: Seconds = 2.0
    suspend: Cached = 5.0
    tls_ca: CertificateFile = ""

    @field_validator("url")
    @classmethod
    def _is_an_endpoint(cls, value: str) -> str:
        Endpoint.parse(value)
        return value

    @field_validator("client_secret_file")
    @classmethod
    def _one_secret(cls, value: str, info: ValidationInfo) -> str:
        if value:
            readable(value)
        secret = info.data.get("client_secret")
        if secret is not None and bool(value) == bool(secret):  # None: wrong, and told
            raise ValueError("give either client_secret or client_secret_file")
        return value

    def secret(self) -> str:
        """Return the client's secret. Raises ValueError where its file can't be read."""
        if not self.client_secret_file:
            return self.client_secret
        return readable(self.client_secret_file).decode("utf-8", "surrogateescape").strip()


class AuthConfig(Table):
    """`[auth]`: the kinds of credentials that are accepted. Times are seconds."""

    accept: Annotated[tuple[Kind, ...], AfterValidator(some), AfterValidator(distinct)] = (
        "api_keys",
    )
    forward_credential: bool = False
    token_path: Context = "/oauth"  # noqa: S105 - a path
    token_cache: Cached = 30.0
    token_lifetime: Annotated[int, Field(ge=10, le=86_400)] = 1800
    token_limit: Annotated[int, Field(ge=1, le=100_000)] = 15
    jwt: JwtConfig | None = Field(default=None, validate_default=True)
    introspection: IntrospectionConfig | None = Field(default=None, validate_default=True)

    @field_validator("accept")
    @classmethod
    def _are_installed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for kind in value:
            load("auth", *_MODULES.get(kind, ()))
        return value

    @field_validator("jwt", "introspection")
    @classmethod
    def _is_there(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.field_name in info.data.get("accept", ()):
            raise ValueError("must be given: accept names it")
        return value


class ApplicationConfig(Table):
    """`[[application]]`: who may call what, with which keys or as which OAuth client."""

    name: Text
    owner: Text
    vendor: str = ""
    subscriptions: tuple[Text, ...] = ()
    suspended: tuple[Text, ...] = ()
    keys: tuple[KeyDigest, ...] = ()
    scopes: tuple[Scope, ...] = ()
    client_id: ClientName = ""
    client_secret: OptionalDigest = ""

    @field_validator("client_secret")
    @classmethod
    def _has_a_client(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("client_id") == "":
            raise ValueError("needs a client_id")
        return value

    def application(self) -> Application:
        """Return what credentials are checked against."""
        return Application(
            name=self.name,
            owner=self.owner,
            vendor=self.vendor,
            subscriptions=frozenset(self.subscriptions),
            keys=frozenset(self.keys),
            scopes=frozenset(self.scopes),
            client_id=self.client_id,
            client_secret=self.client_secret,
            suspended=frozenset(self.suspended),
        )


def is_url(jwks: str) -> bool:
    """Say whether keys come from a server, not from a file."""
    return jwks.startswith(("http://", "https://"))


def _check_keys(document: bytes) -> None:
    """Raise ValueError where the file holds no key that can verify."""
    load("auth", *_MODULES["jwt"])
    from gatewaylog.auth.jwks import keys_of

    keys_of(document)
