"""`[[ship]]`: where the log is delivered by shippers that the gateway runs."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from gatewaylog.exceptions import ShipError
from gatewaylog.gateway.config.values import CertificateFile, Seconds, Table, Text
from gatewaylog.ship.options import secret_in
from gatewaylog.ship.settings import Settings, destination_of


class ShipConfig(Table):
    """`[[ship]]`: the options of `gatewaylog ship`. No `file`: the gateway's own log.

    `timeout` is seconds; empty text is none. A password or a token stands in the environment
    (`password = "${NAME}"`) or in a file.
    """

    to: Literal["loki", "splunk", "otlp", "syslog", "database", "clickhouse", "command"]
    state: Text
    file: tuple[Text, ...] = ()
    url: str = ""
    command: tuple[Text, ...] = ()
    user: str = ""
    password: str = Field(default="", repr=False)
    password_file: str = ""
    token: str = Field(default="", repr=False)
    token_file: str = ""
    ca: CertificateFile = ""
    timeout: Seconds = 30.0
    job: Text = "gatewaylog"
    host: str = ""
    tenant: str = ""
    index: str = ""
    table: str = ""

    @model_validator(mode="after")
    def _is_a_destination(self) -> "ShipConfig":
        try:
            destination_of(self.settings()).close()
        except ShipError as error:
            raise ValueError(str(error)) from None
        return self

    def settings(self) -> Settings:
        """Return what a shipper is told. Raises ValueError where a secret's file can't be used."""
        given = self.model_dump(exclude={"state", "file", "password_file", "token_file"})
        given["password"] = _secret(self.password_file, header=False) or self.password
        given["token"] = _secret(self.token_file, header=True) or self.token
        return Settings(**given)


def _secret(path: str, *, header: bool) -> str:
    try:
        return secret_in(Path(path), header=header) if path else ""
    except ShipError as error:
        raise ValueError(str(error)) from None
