"""Keys and OAuth clients of applications that a database keeps: made, disabled, listed."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.tokens import database
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from gatewaylog.audit.application_store import DatabaseApplications
    from gatewaylog.audit.registered import Registered, RegisteredKey
    from gatewaylog.cli.verbs import Parser

_LONGEST_NAME = 255
_LONGEST_LABEL = 512
_SHORTEST = 8  # digits of a hash by which a key is called
_OF_NEW = ("owner", "vendor", "client", "replace", "subscribe", "scope")


def configure(parser: Parser) -> None:
    """Add what tells of the application, and the database."""
    database.configure(parser)
    parser.add_argument("--application", metavar="NAME", default="", help="new: whose key it is")
    parser.add_argument("--owner", metavar="NAME", default="", help="of a new application")
    parser.add_argument("--vendor", metavar="NAME", default="", help="of a new application")
    parser.add_argument(
        "--client", metavar="ID", default="", help="new: the secret of an OAuth client, no API key"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="new: let --client take the place of the application's other client",
    )
    parser.add_argument(
        "--subscribe",
        metavar="API",
        action="append",
        default=[],
        help="new: an API's label that the application may call, or *; repeatable",
    )
    parser.add_argument(
        "--scope",
        metavar="SCOPE",
        action="append",
        default=[],
        help="new: a scope that it has; repeatable",
    )


def is_for_a_database(options: Namespace) -> bool:
    """Tell whether `keys new` keeps the key. Raises WrongCall for options without their point."""
    if options.application:
        return True
    for name in (*_OF_NEW, "database"):
        if getattr(options, name):
            raise WrongCall(f"keys new: --{name}: of which application? --application NAME")
    return False


def new(options: Namespace) -> int:
    """Make a key, keep its hash, and print the key this once."""
    from gatewaylog.audit.registered import Registered, RegisteredKey
    from gatewaylog.auth.api_keys import digest_of, new_key

    _check(options)
    secret, kept = new_key()
    with _store(options) as store:
        known = store.by_name(options.application)
        _check_application(known, options)
        _check_client(store, known, options)
        before = known or Registered(name=options.application, owner="")
        store.keep(_changed(before, options, kept))
        if not options.client:
            key = RegisteredKey(
                digest=digest_of(kept), application=options.application, created_at=time.time()
            )
            store.add_key(key)
    _record(options, "KEY_CREATED", options.application, _name(digest_of(kept)))
    if options.client and before.client_id:
        _record(options, "KEY_DISABLED", before.name, _client_name(before))
    what = f"The secret of the client {options.client}" if options.client else "The key"
    print(
        printable(f"{what}, for {options.application} (it is shown this once, and kept nowhere):")
    )
    print(f"\n  {secret}\n\nIn the event log it is called {_name(digest_of(kept))}")
    return 0


def _check_application(known: Registered | None, options: Namespace) -> None:
    name = options.application
    if known is None:
        if not options.owner:
            raise WrongCall(f"keys new: {name} is new: whose is it? --owner NAME")
        return
    for what in ("owner", "vendor"):
        given, kept = getattr(options, what), getattr(known, what)
        if given and kept and given != kept:
            raise WrongCall(
                f"keys new: --{what} {given}: the {what} of {name} is {kept}, and stays"
            )


def _check_client(
    store: DatabaseApplications, known: Registered | None, options: Namespace
) -> None:
    client = options.client
    if not client:
        return
    other = store.by_client(client)
    if other is not None and other.name != options.application:
        raise WrongCall(f"keys new: --client {client} is another application's")
    for one in logs.configured(options).applications:
        if one.get("client_id") == client:  # what the configuration knows is not looked up
            name = one.get("name")
            raise WrongCall(f"keys new: --client {client} is that of {name} in the configuration")
    if known is not None and known.client_id not in {"", client} and not options.replace:
        raise WrongCall(
            f"keys new: {known.name} has the client {known.client_id}, which would open nothing any"
            f" more: --replace to put {client} in its place"
        )


def _changed(known: Registered, options: Namespace, kept: str) -> Registered:
    """Return the application with what the options add to it."""
    return replace(
        known,
        owner=known.owner or options.owner,
        vendor=known.vendor or options.vendor,
        client_id=options.client or known.client_id,
        client_secret=kept if options.client else known.client_secret,
        subscriptions=known.subscriptions | set(options.subscribe),
        scopes=known.scopes | set(options.scope),
    )


def disable(options: Namespace, name: str | None) -> int:
    """Have the key or the client of this name open nothing any more."""
    if not name:
        raise WrongCall(
            "keys disable: which KEY or client? As in the event log and keys list: key:1a2b3c4d"
        )
    with _store(options) as store:
        client = _client(store, name)
        if client is not None:
            store.keep(replace(client, client_id="", client_secret=""))
            told, application, was_good = _client_name(client), client.name, True
        else:
            key = _key(store, name)
            told, application = _name(key.digest), key.application
            was_good = store.disable(key.digest, time.time())
    if was_good:
        _record(options, "KEY_DISABLED", application, told)
    state = "is disabled" if was_good else "was disabled before"
    shown = told if client is None else f"the client {client.client_id}"
    print(printable(f"{shown} of {application} {state}"))
    return 0


def _client(store: DatabaseApplications, name: str) -> Registered | None:
    """Return the application whose client has this name, or whose secret."""
    digits = _digits(name)
    return store.by_client(name) or next(
        (
            one
            for one in store.all_clients()
            if len(digits) >= _SHORTEST and _digits(one.client_secret).startswith(digits)
        ),
        None,
    )


def _key(store: DatabaseApplications, name: str) -> RegisteredKey:
    digits = _digits(name)
    fitting = [key for key in store.all_keys() if key.digest.hex().startswith(digits)]
    if len(digits) < _SHORTEST or len(fitting) != 1:
        told = "no key" if len(digits) < _SHORTEST or not fitting else f"{len(fitting)} keys"
        raise WrongCall(f"keys disable: {told} of that name: {name} (see keys list)")
    return fitting[0]


def _digits(name: str) -> str:
    return name.removeprefix("key:").removeprefix("sha256:").lower()


def listed(options: Namespace) -> int:
    """Print a line for each key, then one for each client."""
    with _store(options) as store:
        for key in store.all_keys():
            print(printable(_line(key)))
        for one in store.all_clients():
            secret = _client_name(one) if one.client_secret else "without a secret"
            print(printable(f"client {one.client_id}  {secret}  {one.name}"))
    return 0


def _line(key: RegisteredKey) -> str:
    end = "" if key.disabled_at is None else f"  disabled {_time(key.disabled_at)}"
    return f"{_name(key.digest)}  created {_time(key.created_at)}  {key.application}{end}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _name(digest: bytes) -> str:
    return f"key:{digest.hex()[:8]}"


def _client_name(application: Registered) -> str:
    """Return what a client is called in the event log: by its secret, where it has one."""
    secret = _digits(application.client_secret)
    return f"key:{secret[:_SHORTEST]}" if secret else f"client {application.client_id}"


def _check(options: Namespace) -> None:
    for name in ("application", "owner", "vendor", "client"):
        _check_text(f"--{name}", getattr(options, name), _LONGEST_NAME)
    for name in ("subscribe", "scope"):
        for value in getattr(options, name):
            _check_text(f"--{name}", value or "\0", _LONGEST_LABEL)


def _check_text(option: str, value: str, most: int) -> None:
    if len(value) > most or not value.isprintable():
        raise WrongCall(f"keys new: {option}: must be at most {most} printable characters")


@contextmanager
def _store(options: Namespace) -> Iterator[DatabaseApplications]:
    """Give the database that is meant. Raises WrongCall where it can't be used."""
    from gatewaylog.audit.application_store import DatabaseApplications
    from gatewaylog.exceptions import TokenStoreError

    try:
        with closing(DatabaseApplications(database.url_of(options))) as store:
            yield store
    except TokenStoreError as error:
        raise WrongCall(f"keys {options.action}: the database: {error}") from None


def _record(options: Namespace, event: str, application: str, detail: str) -> None:
    from gatewaylog.audit.events import AuditEvent, GatewayEvent
    from gatewaylog.audit.events.account import account
    from gatewaylog.cli.recording import event_log

    with event_log(logs.configured(options)) as events:
        if events is not None:
            events.record(
                AuditEvent(
                    event=GatewayEvent(event),
                    user=account(),
                    requestor=application,
                    detail=detail,
                )
            )
