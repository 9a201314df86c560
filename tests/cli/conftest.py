"""What several of the verbs' tests need."""

from __future__ import annotations

from tests.audit.conftest import postgresql
from tests.audit.edfi.conftest import edfi, edfi_template
from tests.audit.queries.conftest import empty_postgresql

__all__ = ["edfi", "edfi_template", "empty_postgresql", "postgresql"]
