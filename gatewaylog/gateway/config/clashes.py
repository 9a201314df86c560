"""What only several tables together have wrong: doubles, and names that stand for nothing.

It looks at the file's values, not at finished tables, so that one wrong key does not hide the
clashes of its table.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from os.path import realpath
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from gatewaylog.gateway.config.apis import Context, Methods, ResourcePath, shape
from gatewaylog.gateway.config.problems import Place, Problem, nearest, written
from gatewaylog.gateway.config.values import KeyDigest, OptionalWord, Text, Word, load
from gatewaylog.gateway.labels import api_label

Tables = Mapping[str, object]

_TEXT = TypeAdapter(str)
_PRINTED = TypeAdapter(Text)
_FLAG = TypeAdapter(bool)
_WORD = TypeAdapter(Word)
_OPTIONAL_WORD = TypeAdapter(OptionalWord)
_CONTEXT = TypeAdapter(Context)
_PATH = TypeAdapter(ResourcePath)
_METHODS = TypeAdapter(Methods)
_KEY = TypeAdapter(KeyDigest)
_NAME: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(min_length=1)])

Value = TypeVar("Value")
Placed = tuple[Place, Value]


def clashes(tables: Tables) -> Iterator[Problem]:
    """Yield what is wrong between tables; what is wrong inside one is left to its model."""
    apis = list(_tables(tables, "api"))
    applications = list(_tables(tables, "application"))
    labelled = [((*place, "name"), _label(api)) for place, api in apis]
    labels = [(place, label) for place, label in labelled if label]
    yield from _doubles(
        _values(apis, "context", _CONTEXT), "has the context of {}: each needs its own"
    )
    yield from _doubles(
        labels, "makes the API label of {}: give it another name, provider or version"
    )
    for place, api in apis:
        yield from _resource_clashes(list(_tables(api, "resource", place)))
    yield from _doubles(
        _values(applications, "name", _TEXT), "is the name of {}: each needs its own"
    )
    yield from _doubles(_items(applications, "keys", _KEY), "is the key of {}: each needs its own")
    yield from _doubles(
        _values(applications, "client_id", _NAME), "is the client_id of {}: each needs its own"
    )
    known = [label for _, label in labelled]
    yield from _unknown_labels(_items(applications, "subscriptions", _TEXT), known)
    yield from _unknown_labels(_items(applications, "suspended", _TEXT), known)
    yield from _unknown_throttled(tables, known, applications)
    if _accepts_tokens(tables):
        yield from _hidden_by_tokens(tables, apis)
    if _accepts_tokens(tables) or _looks_applications_up(tables):
        yield from _without_driver(tables)
    shippers = list(_tables(tables, "ship"))
    folders = ((place, realpath(state)) for place, state in _values(shippers, "state", _PRINTED))
    yield from _doubles(folders, "is the state of {}: each needs its own folder")
    yield from _nothing_to_ship(tables, shippers)


def _tables(tables: Tables, name: str, above: Place = ()) -> Iterator[tuple[Place, Tables]]:
    listed = tables.get(name)
    for at, table in enumerate(listed if isinstance(listed, tuple) else ()):
        if isinstance(table, dict):
            yield (*above, name, at), table


def _read(kind: TypeAdapter[Value], value: object) -> Value | None:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError:
        return None  # the table's own model tells


def _values(
    tables: Iterable[tuple[Place, Tables]], key: str, kind: TypeAdapter[Value]
) -> Iterator[Placed[Value]]:
    for place, table in tables:
        value = _read(kind, table.get(key))
        if value is not None:
            yield (*place, key), value


def _items(
    tables: Iterable[tuple[Place, Tables]], key: str, kind: TypeAdapter[Value]
) -> Iterator[Placed[Value]]:
    for place, table in tables:
        listed = table.get(key)
        for at, item in enumerate(listed if isinstance(listed, tuple) else ()):
            value = _read(kind, item)
            if value is not None:
                yield (*place, key, at), value


def _doubles(values: Iterable[Placed[Value]], message: str) -> Iterator[Problem]:
    first: dict[Value, Place] = {}
    for place, value in values:
        if first.setdefault(value, place) != place:
            yield Problem(place=place, message=message.format(written(first[value])))


def _label(api: Tables) -> str | None:
    name = _read(_WORD, api.get("name"))
    provider = _read(_OPTIONAL_WORD, api.get("provider", ""))
    version = _read(_OPTIONAL_WORD, api.get("version", ""))
    default = _read(_FLAG, api.get("default_version", False))
    if name is None or provider is None or version is None or default is None:
        return None
    return api_label(name, provider=provider, version=version, default_version=default)


def _resource_clashes(resources: list[tuple[Place, Tables]]) -> Iterator[Problem]:
    same_shape = defaultdict(list)
    for place, resource in resources:
        path = _read(_PATH, resource.get("path"))
        methods = _read(_METHODS, resource.get("methods", ()))
        if path is not None and methods is not None:
            same_shape[shape(path)].append((place, frozenset(methods)))
    for alike in same_shape.values():
        for (first, some), (place, others) in combinations(alike, 2):
            if not some or not others or some & others:
                yield Problem(
                    place=place,
                    message=f"matches the same paths and methods as {written(first)}:"
                    " give it other methods, or another path",
                )


def _unknown_labels(placed: Iterable[Placed[str]], labels: list[str | None]) -> Iterator[Problem]:
    known = {label for label in labels if label is not None}
    if len(known) < len(labels):
        return  # an API is wrong, so its label can't be known; that is told
    for place, label in placed:
        if label != "*" and label not in known:
            yield Problem(
                place=place, message=f'is no API\'s label (nor "*"); {nearest(label, known)}'
            )


def _unknown_throttled(
    tables: Tables, labels: list[str | None], applications: list[tuple[Place, Tables]]
) -> Iterator[Problem]:
    """Find limits about nothing: of APIs, resources and applications that are not there."""
    limits = list(_tables(tables, "throttle"))
    yield from _unknown_labels(_values(limits, "api", _NAME), labels)
    known = {name for _, name in _values(applications, "name", _TEXT)}
    for place, name in _values(limits, "application", _NAME):
        if name not in known and not _looks_applications_up(tables):
            yield Problem(place=place, message=f"is no application's name; {nearest(name, known)}")


def _looks_applications_up(tables: Tables) -> bool:
    database = tables.get("database")
    return isinstance(database, dict) and database.get("applications") is True


def _accepts_tokens(tables: Tables) -> bool:
    auth = tables.get("auth")
    accepted = auth.get("accept") if isinstance(auth, dict) else None
    return isinstance(accepted, tuple) and "tokens" in accepted


def _hidden_by_tokens(tables: Tables, apis: list[tuple[Place, Tables]]) -> Iterator[Problem]:
    """Find an API at the token endpoint's own path."""
    auth = tables["auth"]
    given = auth.get("token_path", "/oauth") if isinstance(auth, dict) else None
    taken = _read(_CONTEXT, given)
    for place, context in _values(apis, "context", _CONTEXT):
        if taken is not None and taken != "/" and f"{context}/".startswith(f"{taken}/"):
            yield Problem(
                place=place,
                message="is where the token endpoint is: give the API another, or auth.token_path",
            )


def _without_driver(tables: Tables) -> Iterator[Problem]:
    database = tables.get("database")
    url = database.get("url") if isinstance(database, dict) else None
    if isinstance(url, str) and url.startswith("postgresql"):
        try:
            load("database", "psycopg")
        except ValueError as error:
            yield Problem(place=("database", "url"), message=str(error))


def _nothing_to_ship(tables: Tables, shippers: list[tuple[Place, Tables]]) -> Iterator[Problem]:
    log = tables.get("log")
    if not isinstance(log, dict) or log.get("path") != "-":
        return
    for place, shipper in shippers:
        if not shipper.get("file"):
            yield Problem(
                place=(*place, "file"),
                message="is missing, and must be given: log.path is standard output, and a shipper"
                " follows files",
            )
