"""The options of a log that shows what was changed in it, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.seal.chain import ROOM
from gatewaylog.sinks import FileSink
from gatewaylog.sinks.amounts import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from gatewaylog.seal.chain import Mac
    from gatewaylog.seal.keys import Signer
    from gatewaylog.seal.sealing import Sealing
    from gatewaylog.sinks import Sink

    Key = TypeVar("Key")

_NEEDS = "tamper_evident: needs chain_key_file and signing_key_file (gatewaylog keys tamper)"


class Tamper:
    """What makes a chain and signs digests, if `on`; options as those of AccessLog.

    Raises ValueError for an option that can't be, or a key that can't be read.
    """

    def __init__(self, on: bool, chain_key: str, signing_key: str, every: str, fields: str) -> None:
        self.mac: Mac | None = None
        self._signer: Signer | None = None
        try:
            self._every = seconds_of(every)
        except ValueError as error:
            raise ValueError(f"digest_every: {error}") from None
        if self._every < 1:
            raise ValueError("digest_every: must be at least a second")
        if on:
            self._take_keys(chain_key, signing_key, fields)

    def _take_keys(self, chain_key: str, signing_key: str, fields: str) -> None:
        from gatewaylog.seal.keys import mac_of, signer_of

        if fields != "full":
            raise ValueError(
                'tamper_evident: needs fields = "full": a chain goes by Writer and Seq'
            )
        if not (chain_key and signing_key):
            raise ValueError(_NEEDS)
        self.mac = _key("chain_key_file", mac_of, chain_key)
        self._signer = _key("signing_key_file", signer_of, signing_key)

    @property
    def room(self) -> int:
        """Bytes of a line that Chain takes."""
        return ROOM if self.mac is not None else 0

    def sealing(self, sink: Sink) -> Sealing | None:
        """Return what signs the files of the log, where it is one that shows changes.

        Raises ValueError where it is no file.
        """
        if self._signer is None:
            return None
        if not isinstance(sink, FileSink):
            raise ValueError(  # noqa: TRY004 - what AccessLog raises for any option
                "tamper_evident: needs a log that is a file"
            )
        from gatewaylog.seal.sealing import Sealing

        return Sealing(sink.path, self._signer, self._every)


def _key(option: str, read: Callable[[str], Key], path: str) -> Key:
    try:
        return read(path)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
