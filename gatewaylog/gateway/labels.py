"""What an API is called in the log. Needs nothing but Python, so that a shell can ask quickly."""

from __future__ import annotations


def api_label(
    name: str, *, provider: str = "", version: str = "", default_version: bool = False
) -> str:
    """Return `provider--Name:vVersion`, without what there is not and the default version.

    The rule is "API label" of the log's contract; version `v2.0` gives `:vv2.0`.
    """
    label = f"{provider}--{name}" if provider else name
    return f"{label}:v{version}" if version and not default_version else label
