"""Where an address is, by a file in MaxMind's format (GeoLite2-City.mmdb, DB-IP and the like)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    import os

    from maxminddb import Reader


class Places:
    """Gives the latitude and longitude of an address, as R03 asks for them.

    Raises ValueError for a file that can't be read, or where what reads it is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            import maxminddb
        except ModuleNotFoundError:
            raise ValueError("needs pip install 'gatewaylog[geoip]'") from None
        self._damage = maxminddb.InvalidDatabaseError
        self._path = path
        self._told = False
        try:
            self._reader: Reader = maxminddb.open_database(path)
        except OSError as error:
            raise ValueError(f"{path}: can't be read: {error.strerror}") from None
        except maxminddb.InvalidDatabaseError:
            raise ValueError(f"{path}: is no file of places in MaxMind's format") from None

    def __call__(self, address: str) -> tuple[float, float] | None:
        """Return latitude and longitude in degrees, None where they are not known."""
        try:
            found = self._reader.get(address.partition("%")[0])
        except ValueError:  # no address: a pseudonym, say, or IPv6 where the file has none
            return None
        except self._damage as error:
            if not self._told:
                told = f"{self._path}: is damaged: {error}; places are missing"
                notice(told, code=SystemCode.RESOURCE_RETRIEVE)
            self._told = True
            return None
        location = found.get("location") if isinstance(found, dict) else None
        return _place(location) if isinstance(location, dict) else None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _place(location: dict[str, object]) -> tuple[float, float] | None:
    latitude, longitude = location.get("latitude"), location.get("longitude")
    if not isinstance(latitude, float | int) or not isinstance(longitude, float | int):
        return None
    return float(latitude), float(longitude)
