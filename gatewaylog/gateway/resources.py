"""The resources of one API: which one a path and a method mean.

A tree of segments, walked with backtracking. Each of its nodes stands for one way to read the
path's beginning, so none is visited twice and a match costs at most the tree's size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a call needs: a credential or not, and one of `scopes` where there are any.

    `path` is the template, `methods` are those listed (none: every method).
    """

    path: str = "/*"
    methods: tuple[str, ...] = ()
    auth_required: bool = True
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodNotAllowed:
    """The resource is there, but not for this method; `allow` is the value of Allow."""

    allow: bytes


@dataclass(slots=True)
class _Leaf:
    """The resources of one shape, by method."""

    by_method: dict[str, Resource] = field(default_factory=dict)
    any_method: Resource | None = None
    refusal: MethodNotAllowed = MethodNotAllowed(allow=b"")

    def add(self, resource: Resource) -> None:
        if not resource.methods:
            self.any_method = resource
        self.by_method |= dict.fromkeys(resource.methods, resource)
        if "GET" in resource.methods:
            self.by_method.setdefault("HEAD", resource)
        self.refusal = MethodNotAllowed(allow=", ".join(self.by_method).encode())

    def find(self, method: str) -> Resource | MethodNotAllowed:
        return self.by_method.get(method) or self.any_method or self.refusal


@dataclass(slots=True)
class _Node:
    literals: dict[bytes, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    here: _Leaf | None = None
    rest: _Leaf | None = None

    def find(self, segments: list[bytes], at: int = 0) -> _Leaf | None:
        if at == len(segments):
            return self.here or self.rest
        literal = self.literals.get(segments[at])
        leaf = literal.find(segments, at + 1) if literal else None
        if leaf is None and self.parameter:
            leaf = self.parameter.find(segments, at + 1)
        return leaf or self.rest


class Resources:
    """Finds the resource of a request.

    Segment by segment, literal text beats `{name}`, which beats `/*`; only then the method
    decides. `/*` also matches nothing at all: `/items/*` is `/items` and all below it. Empty
    segments count for nothing, since backends often merge slashes: `//admin/` is `/admin`, and
    can't slip past its rules to those of `/*`. HEAD is allowed where GET is.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._root = _Node()
        for resource in resources:
            self._add(resource)

    def find(self, path: bytes, method: str) -> Resource | MethodNotAllowed | None:
        """Return the resource, or why there is none: None is that no path matches.

        `path` is the rest of the path after the API's context, normalised.
        """
        leaf = self._root.find(list(filter(None, path.split(b"/"))))
        return leaf.find(method) if leaf else None

    def _add(self, resource: Resource) -> None:
        node = self._root
        *segments, last = resource.path[1:].encode().split(b"/")
        for segment in [*segments, last] if last not in (b"", b"*") else segments:
            node = _child(node, segment)
        if last == b"*":
            node.rest = node.rest or _Leaf()
            node.rest.add(resource)
        else:
            node.here = node.here or _Leaf()
            node.here.add(resource)


def _child(node: _Node, segment: bytes) -> _Node:
    if segment.startswith(b"{"):
        node.parameter = node.parameter or _Node()
        return node.parameter
    return node.literals.setdefault(segment, _Node())
