"""Who hears what becomes of the lines that it has written to a sink."""

from __future__ import annotations


class Owner:
    """Owns what is written to a sink; this one does not mind. The sink calls it in a write, a look,
    a reopening or the closing, so under whatever lock its writer holds then.
    """

    def kept(self) -> None:
        """Take note that all lines that were written so far are where they stay."""

    def gone(self, reason: str) -> None:
        """Take note that lines that were written since the last `kept` are lost, or may be."""

    def reads(self, raw: bytes) -> bool:
        """Tell whether bytes without a line feed can be read as a line of the log."""
        return not raw
