"""The tables of `gateway.toml` but `[[api]]`, with the defaults of the specification."""

import re
import ssl
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
)

from gatewaylog.accesslog import PSEUDONYM_FIELDS
from gatewaylog.gateway.config.addresses import Address, AdminAddress, ListenAddress
from gatewaylog.gateway.config.apis import ApiConfig
from gatewaylog.gateway.config.auth import ApplicationConfig, AuthConfig
from gatewaylog.gateway.config.database import DatabaseConfig
from gatewaylog.gateway.config.records import EventLogConfig, RulesConfig, SystemLogConfig
from gatewaylog.gateway.config.shipping import ShipConfig
from gatewaylog.gateway.config.throttling import ThrottleConfig
from gatewaylog.gateway.config.values import (
    CertificateFile,
    LoggedHeader,
    Network,
    OptionalSize,
    Seconds,
    Size,
    Table,
    Text,
    answered_header,
    chain_key,
    distinct,
    network,
    one_or_several,
    optional_duration,
    packable,
    readable,
    signing_key,
    some,
    some_seconds,
)
from gatewaylog.redaction import SECRET_PARAMETERS

_NO_WORD = re.compile(r"[^0-9a-z_]")


class ServerConfig(Table):
    """`[server]`. `max_body` is bytes, `client_timeout` and `drain` are seconds.

    An empty file name or address is none.
    """

    listen: Annotated[
        tuple[ListenAddress, ...],
        BeforeValidator(one_or_several),
        AfterValidator(some),
        AfterValidator(distinct),
    ] = (Address(host="127.0.0.1", port=8080),)
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    trusted_proxies: tuple[Annotated[Network, PlainValidator(network)], ...] = ()
    tls_certificate: CertificateFile = ""
    tls_key: str = Field(default="", validate_default=True)
    max_body: Size = 100 * 1024 * 1024
    client_timeout: Seconds = 60.0
    drain: Seconds = 30.0
    admin: AdminAddress = None

    @field_validator("tls_key")
    @classmethod
    def _fits_the_certificate(cls, key: str, info: ValidationInfo) -> str:
        certificate = info.data.get("tls_certificate")
        if key:
            readable(key)
        if certificate is None:  # wrong, and told
            return key
        if bool(certificate) != bool(key):
            raise ValueError("must be given together with tls_certificate, or neither")
        if key:
            _check_pair(certificate, key)
        return key

    @field_validator("admin")
    @classmethod
    def _is_its_own(cls, value: Address | None, info: ValidationInfo) -> Address | None:
        if value and (value.unix_path or value.port) and value in info.data.get("listen", ()):
            raise ValueError("must be another address than those of listen")
        return value


class RedactConfig(Table):
    """`[log.redact]`: names of query parameters whose values are never written."""

    query: tuple[Text, ...] = SECRET_PARAMETERS


class LogConfig(Table):
    """`[log]`. `max_value_length` is characters, `max_line` and `max_size` bytes; empty text is
    none.
    """

    path: Text = "logs/api-access.log"
    format: Literal["wso2", "json", "logfmt"] = "wso2"
    fields: Literal["full", "seed"] = "full"
    node: Text = "AM"
    logger: Text = "gatewaylog.AccessLogWriter"
    max_value_length: Annotated[int, Field(ge=64, le=1_048_576)] = 4096
    max_line: Annotated[int, Field(ge=1024, le=16_777_216)] = 9500
    request_headers: tuple[LoggedHeader, ...] = ()
    response_header: Annotated[str, AfterValidator(answered_header)] = ""
    pseudonym_key: str = Field(default="", repr=False)
    pseudonyms: tuple[str, ...] = ()
    max_size: OptionalSize = 0
    rotate: Literal["", "hourly", "daily", "weekly", "monthly"] = ""
    backups: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    keep: Annotated[str, AfterValidator(optional_duration)] = ""
    compress: Annotated[Literal["", "gz", "zst"], AfterValidator(packable)] = ""
    on_full: Literal["drop", "block", "refuse"] = "drop"
    durability: Literal["kernel", "disk"] = "kernel"
    shippers: tuple[Text, ...] = ()
    max_unshipped: OptionalSize = 10 * 1024**3
    chain_key_file: Annotated[str, AfterValidator(chain_key)] = ""
    signing_key_file: Annotated[str, AfterValidator(signing_key)] = ""
    digest_every: Annotated[str, AfterValidator(some_seconds)] = "60s"
    tamper_evident: bool = False
    redact: RedactConfig = RedactConfig()

    @field_validator("request_headers")
    @classmethod
    def _distinct_fields(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({_NO_WORD.sub("_", name.lower()) for name in value}) < len(value):
            raise ValueError("must not name a header twice (- and _ are the same in the log)")
        return value

    @field_validator("max_size", "rotate", "backups", "keep", "compress", "tamper_evident")
    @classmethod
    def _is_of_a_file(cls, value: int | str, info: ValidationInfo) -> int | str:
        if value and info.data.get("path") == "-":
            raise ValueError("needs a log that is a file: path is standard output")
        return value

    @field_validator("durability")
    @classmethod
    def _has_a_disk(cls, value: str, info: ValidationInfo) -> str:
        if value == "disk" and info.data.get("path") == "-":
            raise ValueError('must be "kernel" where path is standard output')
        return value

    @field_validator("tamper_evident")
    @classmethod
    def _can_be_tamper_evident(cls, value: bool, info: ValidationInfo) -> bool:
        if value and "" in {info.data.get("chain_key_file"), info.data.get("signing_key_file")}:
            raise ValueError(
                "needs chain_key_file and signing_key_file (gatewaylog keys tamper makes them)"
            )
        if value and info.data.get("fields") == "seed":
            raise ValueError('needs fields = "full": a chain goes by Writer and Seq')
        return value

    @field_validator("pseudonyms")
    @classmethod
    def _have_a_key(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("pseudonym_key") == "":
            raise ValueError("need pseudonym_key: a hash without a key is guessed in seconds")
        if not PSEUDONYM_FIELDS.keys() >= set(value):
            raise ValueError(f"must be among {', '.join(PSEUDONYM_FIELDS)}")
        return value


class SearchConfig(Table):
    """`[search]`, which the gateway itself does not use: `index` names sets of logs for queries."""

    index: dict[Text, Annotated[tuple[Text, ...], AfterValidator(some)]] = {}  # noqa: RUF012 - pydantic copies it


class Config(Table):
    """The whole file. Equal configurations are those that say the same."""

    server: ServerConfig = ServerConfig()
    log: LogConfig = LogConfig()
    api: tuple[ApiConfig, ...] = ()
    auth: AuthConfig = AuthConfig()
    application: tuple[ApplicationConfig, ...] = ()
    search: SearchConfig = SearchConfig()
    throttle: tuple[ThrottleConfig, ...] = ()
    ship: tuple[ShipConfig, ...] = ()
    event_log: EventLogConfig = EventLogConfig()
    system_log: SystemLogConfig = SystemLogConfig()
    rules: RulesConfig = RulesConfig()
    # Made anew for each file, as its default lies beside it.
    database: DatabaseConfig = Field(default_factory=dict, validate_default=True)

    @property
    def kept_log(self) -> LogConfig:
        """`[log]`, with the shippers of `[[ship]]` that follow it among its own."""
        states = [ship.state for ship in self.ship if not ship.file or self.log.path in ship.file]
        if not states or self.log.path == "-":
            return self.log
        return self.log.model_copy(update={"shippers": (*self.log.shippers, *states)})


def _check_pair(certificate: str, key: str) -> None:
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key, password="")  # never ask on the terminal
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise ValueError(
            "must be the private key of tls_certificate, in PEM form and without a passphrase"
        ) from None
