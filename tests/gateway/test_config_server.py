"""What `[server]` and `[log]` may say."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
import trustme

from gatewaylog.gateway.config import Address
from tests.gateway.configured import problem, problems, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1", 1),
        ("'512'", 512),
        ("'512B'", 512),
        ("'64KiB'", 65_536),
        ("'10MB'", 10_000_000),
        ("'10 mb'", 10_000_000),
        ("'2GiB'", 2 << 30),
        ("'1TiB'", 1 << 40),
    ],
)
def test_sizes_are_bytes(written: str, expected: int) -> None:
    assert read(f"[server]\nmax_body = {written}\n").server.max_body == expected


@pytest.mark.parametrize("written", ["0", "-1", "true", "1.5", "'1.5MB'", "'MB'", "'1K'", "''"])
def test_what_is_no_size_is_refused(written: str) -> None:
    assert problem(f"[server]\nmax_body = {written}\n").startswith(
        "server.max_body: must be a size over 0"
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("127.0.0.1:0", Address(host="127.0.0.1", port=0)),
        ("LocalHost:65530", Address(host="localhost", port=65530)),
        ("[::1]:8080", Address(host="::1", port=8080)),
        ("unix:/run/g.sock", Address(unix_path="/run/g.sock")),
    ],
)
def test_addresses_are_read(written: str, expected: Address) -> None:
    config = read(f"[server]\nlisten = '{written}'\nadmin = ''\n")
    assert config.server.listen == (expected,)
    assert config.server.admin is None
    assert read(f"[server]\nadmin = '{written}'\n").server.admin == expected
    assert str(expected).lower() == written.lower()


@pytest.mark.parametrize(
    "written",
    ["8080", ":8080", "h", "h:", "h:65536", "h:-1", "::1:80", "[::1]", "[::g]:1", "[fe80::1%e]:1",
     "1.2.3:1", "256.1.1.1:1", "a b:1", "-a:1", "unix:", "unix:run/g", "unix:/" + "x" * 103,
     "http://h:1", "[1.2.3.4]:1", "h:1/", "a..b:1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(written: str) -> None:
    assert problem(f"[server]\nlisten = '{written}'\n").startswith("server.listen[0]: must ")
    assert problem(f"[server]\nadmin = '{written}'\n").startswith("server.admin: must ")


def test_listening_twice_on_one_address_is_refused() -> None:
    assert problem("[server]\nlisten = ['a:1', 'A:1']\n") == (
        "server.listen: must not name anything twice"
    )
    assert problem("[server]\nlisten = ['a:1', 'a:2']\nadmin = 'a:2'\n") == (
        "server.admin: must be another address than those of listen"
    )
    assert read("[server]\nlisten = 'a:0'\nadmin = 'a:0'\n").server.admin is not None


def test_trusted_proxies_are_networks_or_unix() -> None:
    config = read("[server]\ntrusted_proxies = ['10.0.0.0/8', '::1', 'unix']\n")
    assert config.server.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
        "unix",
    )
    for wrong in ("10.0.0.1/8", "proxy", "*", "", "10.0.0.0/33"):
        assert "server.trusted_proxies[0]: must be a network like" in problem(
            f"[server]\ntrusted_proxies = ['{wrong}']\n"
        )
    assert "must be a network" in problem("[server]\ntrusted_proxies = [10]\n")


def test_certificate_and_key_are_given_together_and_fit(tmp_path: Path) -> None:
    authority = trustme.CA()
    pair, other = authority.issue_cert("localhost"), authority.issue_cert("other")
    certificate, key, stranger = (tmp_path / name for name in ("c.pem", "k.pem", "o.pem"))
    pair.cert_chain_pems[0].write_to_path(certificate)
    pair.private_key_pem.write_to_path(key)
    other.private_key_pem.write_to_path(stranger)

    def server(certificate: object, key: object) -> str:
        return f"[server]\ntls_certificate = '{certificate}'\ntls_key = '{key}'\n"

    assert read(server(certificate, key)).server.tls_key == str(key)
    together = "server.tls_key: must be given together with tls_certificate, or neither"
    assert problem(server(certificate, "")) == together
    assert problem(server("", key)) == together
    assert problem(f"[server]\ntls_certificate = '{certificate}'\n") == together
    assert "must be the private key of tls_certificate" in problem(server(certificate, stranger))
    assert "must be a file of certificates in PEM form" in problem(server(key, key))
    assert problems(server(tmp_path / "no", tmp_path)) == [
        "server.tls_certificate: must be a file that can be read: No such file or directory",
        "server.tls_key: must be a file that can be read: Is a directory",
    ]


@pytest.mark.parametrize(
    "name",
    ["Authorization", "proxy-authorization", "Cookie", "set-cookie", "ApiKey", "X-API-Key",
     "x_api_key"],
)  # fmt: skip
def test_a_header_with_credentials_never_goes_to_the_log(name: str) -> None:
    assert problem(f"[log]\nrequest_headers = ['X-Tenant', '{name}']\n") == (
        "log.request_headers[1]: carries credentials, which the log must never hold:"
        " name another header"
    )


def test_header_names_are_checked() -> None:
    for wrong in ("", "a b", "a:", "ä", "a\\n"):
        assert problem(f'[log]\nrequest_headers = ["{wrong}"]\n').startswith(
            "log.request_headers[0]: must be letters, digits and any of"
        )
        if wrong:
            assert "log.response_header: must be letters" in problem(
                f'[log]\nresponse_header = "{wrong}"\n'
            )
    assert "without a meaning of its own" in problem("[log]\nresponse_header = 'Content-Length'\n")
    assert "must not name a header twice" in problem(
        "[log]\nrequest_headers = ['X-Tenant', 'x_tenant']\n"
    )


def test_pseudonyms_need_a_key_and_known_fields() -> None:
    assert problem("[log]\npseudonyms = ['RemoteIP']\n").startswith(
        "log.pseudonyms: need pseudonym_key"
    )
    assert problem("[log]\npseudonym_key = 'k'\npseudonyms = ['RemoteIp']\n").startswith(
        "log.pseudonyms: must be among RemoteIP, END_USER_NAME, APPLICATION_NAME"
    )
