"""What `gateway.toml` may say, and how it is told what is wrong."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from gatewaylog.auth.applications import Application
from gatewaylog.exceptions import ConfigurationError
from gatewaylog.gateway.config import (
    Address,
    ApiConfig,
    BackendUrl,
    LogConfig,
    ServerConfig,
    load,
)
from tests.gateway.configured import api, problem, problems, read

if TYPE_CHECKING:
    from pathlib import Path

API = '[[api]]\nname = "Echo"\ncontext = "/echo"\nbackend = "https://b.example.edu/_echo"\n'
KEY = "sha256:" + hashlib.sha256(b"k").hexdigest()
APPLICATION = f'[[application]]\nname = "mobile"\nowner = "lzelus"\nkeys = ["{KEY}"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.toml"


def test_an_empty_file_has_the_defaults_of_the_specification() -> None:
    config = read("")
    assert config.server == ServerConfig(
        listen=(Address(host="127.0.0.1", port=8080),),
        workers=1,
        trusted_proxies=(),
        tls_certificate="",
        tls_key="",
        max_body=104_857_600,
        client_timeout=60.0,
        drain=30.0,
        admin=None,
    )
    assert config.log == LogConfig(
        path="logs/api-access.log",
        format="wso2",
        fields="full",
        node="AM",
        logger="gatewaylog.AccessLogWriter",
        max_value_length=4096,
        max_line=9500,
        request_headers=(),
        response_header="",
        pseudonym_key="",
        pseudonyms=(),
    )
    assert "X-Amz-Security-Token" in config.log.redact.query
    assert len(config.log.redact.query) == 12
    assert config.auth.accept == ("api_keys",)
    assert config.auth.forward_credential is False
    assert config.api == ()
    assert config.application == ()


def test_an_api_has_the_defaults_of_the_specification() -> None:
    (found,) = read(API).api
    assert found == ApiConfig(
        name="Echo",
        provider="",
        version="",
        default_version=False,
        context="/echo",
        backend=(BackendUrl(scheme="https", host="b.example.edu", port=443, path="/_echo"),),
        balance="round_robin",
        suspend=30.0,
        retries=1,
        connect_timeout=5.0,
        response_timeout=60.0,
        idle_timeout=60.0,
        blocked=False,
        schemes=("http", "https"),
        verbosity="events",
        preserve_host=False,
        tls_ca="",
        auth="required",
        resource=(),
        cors=None,
    )


def test_a_value_that_says_the_default_makes_no_difference() -> None:
    assert read("[server]\nworkers = 1\n[log]\nformat = 'wso2'\n" + API) == read(API)
    assert read(API) != read(API + "retries = 0\n")


def test_a_configuration_can_not_be_changed() -> None:
    config = read(API)
    with pytest.raises(ValueError, match="frozen"):
        config.api[0].blocked = True
    assert hash(config.server) == hash(read(API).server)


def test_the_example_of_the_specification_is_good(file: Path) -> None:
    file.write_text(
        """
[server]
listen = "127.0.0.1:8080"
max_body = "100MiB"
[log]
response_header = "activityid"
request_headers = ["X-Tenant"]
pseudonym_key = "${PSEUDONYM_KEY}"
pseudonyms = ["RemoteIP", "END_USER_NAME"]
[[api]]
name = "Echo"
provider = "lzelus"
version = "1.0.0"
context = "/echo/1.0.0"
backend = ["https://api-qa.example.edu:8443/_echo"]
[[api.resource]]
path = "/items/{id}"
methods = ["GET", "DELETE"]
auth = "required"
scopes = ["items.read"]
[api.cors]
origins = ["https://app.example.edu"]
[[application]]
name = "mobile"
owner = "lzelus"
vendor = "Example District"
subscriptions = ["lzelus--Echo:v1.0.0"]
keys = ["sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"]
scopes = ["items.read"]
"""
    )
    config = load(file, {"PSEUDONYM_KEY": "a very secret one"})
    assert config.api[0].label == "lzelus--Echo:v1.0.0"
    assert str(config.api[0].backend[0]) == "https://api-qa.example.edu:8443/_echo"
    assert config.log.pseudonym_key == "a very secret one"
    assert config.application[0].application() == Application(
        name="mobile",
        owner="lzelus",
        vendor="Example District",
        subscriptions=frozenset({"lzelus--Echo:v1.0.0"}),
        keys=frozenset(config.application[0].keys),
        scopes=frozenset({"items.read"}),
    )
    assert load(file, {"PSEUDONYM_KEY": "a very secret one"}) == config
    assert load(file, {"PSEUDONYM_KEY": "another"}) != config


def test_every_line_begins_with_the_file_as_the_user_named_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    file.write_text("[server]\nworkers = 0\ndrain = 0\n")
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigurationError) as caught:
        load(Path("gateway.toml"), {})
    assert caught.value.problems == [
        "gateway.toml: server.workers: must be at least 1",
        "gateway.toml: server.drain: must be greater than 0",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[server", "is not TOML: Expected ']'"),
        (b"a = 1\na = 2", "is not TOML: Cannot overwrite a value"),
        (b"node = '\xff'", "must be UTF-8, and is not at byte 8"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"1" * 5_000, "is not TOML: "),
    ],
)
def test_a_file_that_is_not_toml_is_one_line(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(file, {})
    (line,) = caught.value.problems
    assert line.startswith(f"{file}: {said}")
    assert len(line.splitlines()) == 1


def test_a_file_that_can_not_be_read_is_one_line(file: Path) -> None:
    for path, why in ((file, "No such file or directory"), (file.parent, "Is a directory")):
        with pytest.raises(ConfigurationError) as caught:
            load(path, {})
        assert caught.value.problems == [f"{path}: can't be read: {why}"]


def test_a_byte_order_mark_and_windows_line_ends_are_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[server]\r\nworkers = 3\r\n")
    assert load(file, {}).server.workers == 3


def test_everything_wrong_is_told_at_once() -> None:
    text = (
        "[server]\nlistn = 'x'\nworkers = 'two'\n"
        + api(backend='["http://a", "ftp://b"]', contxt='"/x"')
        + api(name='"Other"', extra="[[api.resource]]\npath = 'x'\n")
        + "[[application]]\nname = 'm'\nsubscriptions = ['Nobody']\nkeys = []\n"
    )
    assert problems(text) == [
        "server.workers: must be a whole number",
        "server.listn: unknown key; did you mean listen?",
        "api[0].backend[1]: must begin with http://, https:// or http+unix://",
        "api[0].contxt: unknown key; did you mean context?",
        'api[1].resource[0].path: must begin with "/" and have no empty segment',
        "application[0].owner: is missing, and must be given",
        "api[1].context: has the context of api[0].context: each needs its own",
        'application[0].subscriptions[0]: is no API\'s label (nor "*"); known are Echo, Other',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sever = {}\n", "sever: unknown key; did you mean server?"),
        ("[server]\nmaxbody = 1\n", "server.maxbody: unknown key; did you mean max_body?"),
        ("[log.redact]\nqeury = []\n", "log.redact.qeury: unknown key; did you mean query?"),
        ("[log.redact]\nzzz = []\n", "log.redact.zzz: unknown key; known are query"),
        (api(contxt="[]"), "api[0].contxt: unknown key; did you mean context?"),
        (
            api("[[api.resource]]\npath='/'\nmetods=[]\n"),
            "api[0].resource[0].metods: unknown key; did you mean methods?",
        ),
        (
            api("[api.cors]\norigin='*'\norigins='*'\n"),
            "api[0].cors.origin: unknown key; did you mean origins?",
        ),
        (APPLICATION + "key = []\n", "application[0].key: unknown key; did you mean keys?"),
        ('"a\\nb" = 1\n', '"a\\u000ab": unknown key; '),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(text: str, said: str) -> None:
    assert problem(text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server = 1\n", "server: must be a table"),
        ("api = 1\n", "api: must be a list"),
        ("api = [1]\n", "api[0]: must be a table"),
        ("[server]\nworkers = true\n", "server.workers: must be a whole number"),
        ("[server]\nworkers = 1.0\n", "server.workers: must be a whole number"),
        ("[server]\nclient_timeout = '1'\n", "server.client_timeout: must be a number"),
        ("[server]\nclient_timeout = inf\n", "server.client_timeout: must be a finite number"),
        ("[server]\nclient_timeout = nan\n", "server.client_timeout: must be a"),
        ("[server]\ndrain = -1\n", "server.drain: must be greater than 0"),
        ("[server]\ntrusted_proxies = 'unix'\n", "server.trusted_proxies: must be a list"),
        ("[log]\nnode = 1979-05-27\n", "log.node: must be text"),
        ("[log]\nnode = ''\n", "log.node: must be text of at least one printable"),
        ("[log]\nnode = 'a\\u0000'\n".replace("'", '"'), "log.node: must be text of at least"),
        ("[log]\nlogger = ' '\n", "log.logger: must be text of at least"),
        ("[log]\npath = ''\n", "log.path: must be text of at least one"),
        ("[log]\nformat = 'csv'\n", "log.format: must be one of 'wso2', 'json' or 'logfmt'"),
        ("[log]\nfields = 'all'\n", "log.fields: must be one of 'full' or 'seed'"),
        ("[log]\nmax_value_length = 63\n", "log.max_value_length: must be at least 64"),
        ("[log]\nmax_value_length = 2000000\n", "log.max_value_length: must be at most 1048576"),
        ("[log]\nmax_line = 1023\n", "log.max_line: must be at least 1024"),
        ("[log]\nmax_line = 20000000\n", "log.max_line: must be at most 16777216"),
        ("[auth]\nforward_credential = 1\n", "auth.forward_credential: must be true or false"),
        ("[auth]\naccept = ['cookies']\n", "auth.accept[0]: must be one of 'api_keys', 'tokens'"),
        ("[auth]\naccept = []\n", "auth.accept: must have at least one item"),
    ],
)
def test_a_wrong_type_or_range_says_what_is_allowed(text: str, said: str) -> None:
    assert problem(text).startswith(said)


def test_no_problem_repeats_a_value() -> None:
    secret = "S3CRET"
    text = (
        f"[log]\nformat = '{secret}'\npseudonym_key = ['{secret}']\nresponse_header='{secret}:'\n"
        f"[server]\nlisten = '{secret}'\nmax_body = '{secret}'\nadmin = '{secret}'\n"
        f"tls_key = '/{secret}'\n"
        + api(
            backend=f'"https://u:{secret}@h"', context=f'"{secret}"', tls_ca=f'"/{secret}"',
            name=f'" {secret}"', balance=f'"{secret}"',
        )
        + f"[[application]]\nname = 'a'\nowner = 'o'\nkeys = ['{secret}', 'sha256:{secret}']\n"
        + APPLICATION
        + APPLICATION.replace("mobile", "other")
    )  # fmt: skip
    lines = problems(text)
    assert len(lines) == 15
    assert not any(secret in line or KEY[7:] in line for line in lines)


def test_a_secret_is_not_in_the_text_form_of_the_configuration() -> None:
    config = read("[log]\npseudonym_key = 'S3CRET'\n")
    assert config.log.pseudonym_key == "S3CRET"
    assert "S3CRET" not in f"{config!r} {config}"


def test_a_variable_of_the_environment_is_put_in() -> None:
    config = read(
        "[log]\npath = '${DIR}/$${X}/${A_1}$'\n[server]\nlisten = ['${HOST}:1']\n",
        {"DIR": "/var/${log}", "A_1": "a", "HOST": "h"},
    )
    assert config.log.path == "/var/${log}/${X}/a$"
    assert config.server.listen == (Address(host="h", port=1),)


def test_an_unset_variable_is_told_once_with_its_place() -> None:
    text = "[server]\nlisten = ['a:1', '${NOPE}']\ntls_key = '${N}${N}${M}'\nmax_body = '${SET}'\n"
    assert problems(text, {"SET": "1MB"}) == [
        "server.listen[1]: the environment variable NOPE is not set",
        "server.tls_key: the environment variable N is not set",
        "server.tls_key: the environment variable M is not set",
    ]


@pytest.mark.parametrize("text", ["${}", "${1a}", "${a b}", "${a", "x${"])
def test_a_reference_that_names_nothing_is_an_error(text: str) -> None:
    assert problem(f"[log]\nnode = '{text}'\n").startswith("log.node: has a ${ that names no")


def test_an_unset_variable_in_an_api_does_not_make_its_subscriptions_wrong() -> None:
    text = api(version='"${V}"') + APPLICATION + "subscriptions = ['Echo:v1']\n"
    assert problems(text) == ["api[0].version: the environment variable V is not set"]


def test_a_key_belongs_to_one_application_and_is_never_told() -> None:
    other = APPLICATION.replace("mobile", "other").replace(KEY, KEY.upper().replace("SHA", "sha"))
    line = problem(APPLICATION + other)
    assert (
        line == "application[1].keys[0]: is the key of application[0].keys[0]: each needs its own"
    )
    assert problem(APPLICATION.replace(f'"{KEY}"', f'"{KEY}", "{KEY}"')).startswith(
        "application[0].keys[1]: is the key of application[0].keys[0]"
    )


def test_application_names_are_unique() -> None:
    assert problem(APPLICATION + "[[application]]\nname = 'mobile'\nowner = 'x'\n") == (
        "application[1].name: is the name of application[0].name: each needs its own"
    )


@pytest.mark.parametrize("key", ["", "k", KEY[7:], KEY + "0", "sha512:" + "0" * 64, "sha256:zz"])
def test_a_key_is_a_sha256(key: str) -> None:
    text = APPLICATION.replace(KEY, key)
    assert problem(text).startswith('application[0].keys[0]: must be "sha256:" and 64 hex digits')


def test_a_subscription_names_an_api_or_all() -> None:
    text = api(provider='"lzelus"', version='"1.0.0"') + APPLICATION
    good = read(text + "subscriptions = ['*', 'lzelus--Echo:v1.0.0']\n")
    assert len(good.application[0].subscriptions) == 2
    assert problem(text + "subscriptions = ['lzelus--Echo:v1.0']\n") == (
        'application[0].subscriptions[0]: is no API\'s label (nor "*");'
        " did you mean lzelus--Echo:v1.0.0?"
    )
    assert problem(APPLICATION + "subscriptions = ['Echo']\n").endswith("none is known")


LOG_KEYS = """
[log]
max_size = "10MB"
rotate = "daily"
backups = 5
keep = "90d"
compress = "zst"
on_full = "refuse"
durability = "disk"
"""


def test_what_becomes_of_the_logs_files_is_configured() -> None:
    log = read(LOG_KEYS).log
    assert (log.max_size, log.rotate, log.backups) == (10_000_000, "daily", 5)
    assert (log.keep, log.compress) == ("90d", "zst")
    assert (log.on_full, log.durability) == ("refuse", "disk")
    assert read('[log]\nmax_size = ""').log.max_size == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('max_size = "much"', 'log.max_size: must be bytes, or text like "64KiB", "10MB", "2GiB"'),
        ("max_size = -1", "log.max_size: must be bytes"),
        ("max_size = true", "log.max_size: must be bytes"),
        ('rotate = "yearly"', "log.rotate: "),
        ("backups = -1", "log.backups: "),
        ('keep = "long"', 'log.keep: must be a time like "90d"'),
        ('compress = "bz2"', "log.compress: "),
        ('on_full = "wait"', "log.on_full: "),
        ('path = "-"\nmax_size = 5', "log.max_size: needs a log that is a file"),
        ('path = "-"\nkeep = "90d"', "log.keep: needs a log that is a file"),
        ('path = "-"\ndurability = "disk"', 'log.durability: must be "kernel"'),
    ],
)
def test_what_the_logs_files_can_not_be_is_told(text: str, said: str) -> None:
    assert problem(f"[log]\n{text}").startswith(said)
