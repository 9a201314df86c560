"""Throttling's buckets in Redis, by Redis' own clock, for all processes and machines.

One script takes from all buckets of a call or from none. They must be on one server: a cluster
may keep them on several.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatewaylog.exceptions import CountsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.auth.throttle import Bucket

_PREFIX = "gatewaylog:throttle:"
_SECONDS = 0.25  # for an answer
_CONNECTIONS = 50
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local waits, ends, refused = {}, {}, false
for at, key in ipairs(KEYS) do
  local interval, room = tonumber(ARGV[2 * at - 1]), tonumber(ARGV[2 * at])
  local full = tonumber(redis.call('GET', key) or 0)
  ends[at] = math.max(full, now) + interval
  waits[at] = ends[at] - now - room
  refused = refused or waits[at] > 0
end
if not refused then
  for at, key in ipairs(KEYS) do
    local left = math.ceil((ends[at] - now) / 1000)
    redis.call('SET', key, string.format('%.0f', ends[at]), 'PX', left)
  end
end
return waits
"""


class RedisCounts:
    """The `Counts` on the Redis with this URL. Belongs to one event loop."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            max_connections=_CONNECTIONS,
        )
        self._script = self._redis.register_script(_SCRIPT)

    async def take(self, buckets: Sequence[Bucket]) -> list[int]:
        """Take a call from each bucket, or from none: see `Counts`."""
        keys = [_PREFIX + bucket.key for bucket in buckets]
        numbers = [number for bucket in buckets for number in (bucket.interval, bucket.room)]
        try:
            async with asyncio.timeout(_SECONDS):
                waits = await self._script(keys=keys, args=numbers)
        except TimeoutError:
            raise CountsError(f"no answer within {_SECONDS:g} s") from None
        except (RedisError, OSError) as error:
            # What Redis says may repeat a part of its URL.
            raise CountsError(type(error).__name__) from None
        return [int(wait) for wait in waits]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
