"""Which network an address is in, as far as the address itself tells it."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network


@lru_cache(maxsize=65536)
def network_of(address: str) -> str:
    """Return the /24 of an IPv4 address or the /48 of an IPv6 address; what is none stays."""
    try:
        bits = 24 if ip_address(address).version == 4 else 48
    except ValueError:
        return address
    return str(ip_network(f"{address.partition('%')[0]}/{bits}", strict=False))
