"""Which resource of an API a path and a method mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.gateway.resources import MethodNotAllowed, Resource, Resources


def resources(*templates: str, methods: tuple[str, ...] = ()) -> Resources:
    return Resources(Resource(path=template, methods=methods) for template in templates)


def path_of(answer: Resource | MethodNotAllowed | None) -> str | None:
    assert not isinstance(answer, MethodNotAllowed)
    return answer.path if answer else None


def test_literal_text_beats_a_parameter_which_beats_the_rest() -> None:
    tree = resources("/*", "/items/{id}", "/items/new", "/items/*", "/items/{id}/parts")
    expected = {
        b"/items/new": "/items/new",
        b"/items/1": "/items/{id}",
        b"/items/1/parts": "/items/{id}/parts",
        b"/items/new/parts": "/items/{id}/parts",
        b"/items/1/other": "/items/*",
        b"/items": "/items/*",
        b"/other/1": "/*",
        b"/": "/*",
        b"": "/*",
    }
    assert {path: path_of(tree.find(path, "GET")) for path in expected} == expected


def test_a_literal_that_fails_later_leaves_the_parameter_its_chance() -> None:
    tree = resources("/a/b/c", "/{x}/b/d", "/a/{y}/e", "/{x}/*")
    assert path_of(tree.find(b"/a/b/c", "GET")) == "/a/b/c"
    assert path_of(tree.find(b"/a/b/d", "GET")) == "/{x}/b/d"
    assert path_of(tree.find(b"/a/b/e", "GET")) == "/a/{y}/e"
    assert path_of(tree.find(b"/a/b/f", "GET")) == "/{x}/*"


def test_a_resource_is_its_whole_path() -> None:
    tree = resources("/items/{id}", "/")
    assert path_of(tree.find(b"", "GET")) == "/"
    assert path_of(tree.find(b"/", "GET")) == "/"
    assert tree.find(b"/items", "GET") is None
    assert tree.find(b"/items/1/2", "GET") is None
    assert path_of(tree.find(b"/items/a%2Fb", "GET")) == "/items/{id}"


def test_empty_segments_can_not_slip_past_a_resource() -> None:
    tree = resources("/*", "/admin", "/admin/{name}")
    for path in (b"/admin", b"/admin/", b"//admin", b"//admin//"):
        assert path_of(tree.find(path, "GET")) == "/admin"
    assert path_of(tree.find(b"/admin//x/", "GET")) == "/admin/{name}"


def test_a_path_that_looks_like_a_template_is_no_template() -> None:
    tree = resources("/{id}/x", "/*")
    assert path_of(tree.find(b"/*", "GET")) == "/*"
    assert path_of(tree.find(b"/{id}/x", "GET")) == "/{id}/x"
    assert path_of(tree.find(b"/{other}/x", "GET")) == "/{id}/x"


def test_among_resources_of_one_shape_the_method_decides() -> None:
    read = Resource(path="/items/{id}", methods=("GET",))
    write = Resource(path="/items/{key}", methods=("PUT", "DELETE"))
    tree = Resources([read, write, Resource(path="/*", methods=("PATCH",))])
    assert tree.find(b"/items/1", "GET") is read
    assert tree.find(b"/items/1", "DELETE") is write
    assert tree.find(b"/items/1", "PATCH") == MethodNotAllowed(allow=b"GET, HEAD, PUT, DELETE")
    assert tree.find(b"/items/1", "get") == MethodNotAllowed(allow=b"GET, HEAD, PUT, DELETE")
    assert tree.find(b"/x", "GET") == MethodNotAllowed(allow=b"PATCH")


def test_head_is_allowed_where_get_is() -> None:
    read = Resource(path="/a", methods=("GET",))
    head = Resource(path="/a", methods=("HEAD",))
    assert Resources([read]).find(b"/a", "HEAD") is read
    assert Resources([read, head]).find(b"/a", "HEAD") is head
    assert Resources([head, read]).find(b"/a", "HEAD") is head
    assert Resources([head]).find(b"/a", "GET") == MethodNotAllowed(allow=b"HEAD")


PART = st.sampled_from(["a", "b", "{x}", "{x}"])
TEMPLATE = st.builds(
    lambda parts, rest: "/" + "/".join([*parts, *(["*"] if rest else [])]),
    st.lists(PART, max_size=4),
    st.booleans(),
)


def rank(template: str, segments: list[bytes]) -> list[int] | None:
    """How well it matches, smaller is better; None where it does not."""
    parts = [part for part in template.encode().split(b"/") if part]
    ranks = []
    if parts[-1:] == [b"*"]:
        parts.pop()
        if len(segments) < len(parts):
            return None
        ranks.append(2)
    elif len(parts) != len(segments):
        return None
    for part, segment in zip(reversed(parts), reversed(segments[: len(parts)]), strict=True):
        if part != segment and part != b"{x}":
            return None
        ranks.insert(0, 1 if part == b"{x}" else 0)
    return ranks


@given(
    st.lists(TEMPLATE, unique=True, max_size=10),
    st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=5),
)
def test_the_resource_is_the_obvious_one(templates: list[str], segments: list[bytes]) -> None:
    ranked = [(rank(template, segments), template) for template in templates]
    best = min(((by, template) for by, template in ranked if by is not None), default=None)
    answer = resources(*templates).find(b"".join(b"/" + part for part in segments), "GET")
    assert path_of(answer) == (best[1] if best else None)


def test_many_parameters_cost_no_more_than_the_tree() -> None:
    wide = [f"/{'/'.join(f'{{{at}}}' if bits >> at & 1 else 'a' for at in range(8))}/end"
            for bits in range(256)]  # fmt: skip
    tree = resources(*wide)
    assert tree.find(b"/a" * 8 + b"/other", "GET") is None
    assert tree.find(b"/a" * 100_000, "GET") is None
