"""The published APIs as requests meet them: the one whose context a path begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.gateway.backends import Backend, backend
from gatewaylog.gateway.cors import CorsPolicy, cors_policy
from gatewaylog.gateway.paths import normalised
from gatewaylog.gateway.resources import MethodNotAllowed, Resource, Resources
from gatewaylog.gateway.upstream import Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.gateway.config import ApiConfig, ResourceConfig


_DEFAULT_TIMEOUTS = Timeouts()
_EVERYTHING = Resource()
_NO_RESOURCES = Resources(())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Api:
    """One API; compared and hashed by identity, so that a reload's are new ones.

    `context` is normalised, and empty for the root. `suspend` is seconds, `retries` counts
    further attempts. `everything` is the resource of all paths where the API lists none.
    """

    label: str
    context: bytes
    backends: tuple[Backend, ...]
    balance: str = "round_robin"
    suspend: float = 30.0
    retries: int = 1
    timeouts: Timeouts = _DEFAULT_TIMEOUTS
    blocked: bool = False
    schemes: frozenset[str] = frozenset(("http", "https"))
    verbosity: str = "events"
    preserve_host: bool = False
    cors: CorsPolicy | None = None
    everything: Resource | None = _EVERYTHING
    resources: Resources = _NO_RESOURCES

    def resource(self, path: bytes, method: str) -> Resource | MethodNotAllowed | None:
        """Return the resource that `Route.path` and the method mean.

        None: there is no such resource. MethodNotAllowed: there is, but not for this method.
        """
        return self.everything or self.resources.find(path, method)


class Route(NamedTuple):
    """An API and what of the path comes after its context.

    `rest` is byte for byte what the client sent, empty or beginning with `/`; `path` is the same
    normalised, for `Api.resource`. A NamedTuple, as it is made for every request and a frozen
    dataclass takes more than twice as long.
    """

    api: Api
    rest: bytes
    path: bytes


class _Branch:
    """One beginning of contexts, by segments; `api` where it is a whole one."""

    __slots__ = ("api", "below")

    def __init__(self) -> None:
        self.api: Api | None = None
        self.below: dict[bytes, _Branch] = {}


class ApiTable:
    """Finds the API with the longest context that matches whole segments of a path.

    The cost grows with the segments of the contexts, not with their number.
    """

    def __init__(self, apis: Iterable[Api]) -> None:
        self.apis = tuple(apis)
        self._tree = _Branch()
        self._most = 1
        for api in self.apis:
            self._add(api)

    def find(self, path: bytes) -> Route | None:
        """Return the route of a path as the client sent it, None where no context matches."""
        plain = normalised(path)
        found = None
        below = self._tree.below
        for segment in plain.split(b"/", self._most):
            branch = below.get(segment)
            if branch is None:
                break
            below = branch.below
            if branch.api is not None:
                found = branch.api
        if found is None or not path:
            return None
        rest = plain[len(found.context) :]
        return Route(found, rest if plain is path else _after(path, found.context), rest)

    def _add(self, api: Api) -> None:
        segments = api.context.split(b"/")
        self._most = max(self._most, len(segments))
        branch = self._tree
        for segment in segments:
            branch = branch.below.setdefault(segment, _Branch())
        branch.api = api


def _after(path: bytes, context: bytes) -> bytes:
    """Return the path after as many segments as the context has, as the client sent them."""
    end = -1
    for _ in range(context.count(b"/") + 1):
        end = path.find(b"/", end + 1)
        if end < 0:
            return b""
    return path[end:]


def api(config: ApiConfig) -> Api:
    """Return what a `[[api]]` describes, with everything made that a request needs."""
    return Api(
        label=config.label,
        context=config.context.rstrip("/").encode(),
        backends=tuple(backend(url, config.tls_ca) for url in config.backend),
        balance=config.balance,
        suspend=config.suspend,
        retries=config.retries,
        timeouts=Timeouts(
            connect=config.connect_timeout,
            response=config.response_timeout,
            idle=config.idle_timeout,
        ),
        blocked=config.blocked,
        schemes=frozenset(config.schemes),
        verbosity=config.verbosity,
        preserve_host=config.preserve_host,
        cors=cors_policy(config.cors) if config.cors else None,
        everything=None if config.resource else Resource(auth_required=config.auth == "required"),
        resources=Resources(_resource(resource, config.auth) for resource in config.resource),
    )


def _resource(config: ResourceConfig, auth_of_api: str) -> Resource:
    return Resource(
        path=config.path,
        methods=config.methods,
        auth_required=(config.auth or auth_of_api) == "required",
        scopes=frozenset(config.scopes),
    )
