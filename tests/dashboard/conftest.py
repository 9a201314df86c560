"""Stores of token use, for the page's section of them."""

from __future__ import annotations

from tests.audit.conftest import postgresql
from tests.audit.edfi.conftest import edfi, edfi_template
from tests.audit.queries.conftest import empty_postgresql, store

__all__ = ["edfi", "edfi_template", "empty_postgresql", "postgresql", "store"]
