"""A log that shows what was changed in it: a chain of MACs for each writer, and signed digests.

The chain finds the line, the digests find what is missing at the end of it or whole. What neither
can find is listed in docs/log.md.
"""

from __future__ import annotations

from gatewaylog.seal.tamper import Tamper

__all__ = ["Tamper"]
