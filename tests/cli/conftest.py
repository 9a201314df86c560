"""What several of the verbs' tests need."""

from __future__ import annotations

from tests.audit.conftest import postgresql
from tests.audit.edfi.conftest import edfi, edfi_template

__all__ = ["edfi", "edfi_template", "postgresql"]
