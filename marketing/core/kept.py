"""Connections of the outbound client that stay open for the next call to the same place."""

import ipaddress
import time
from typing import Any

from marketing.core import reach
from marketing.core.reach import Blocked

Origin = tuple[str, str, int]


class Kept:
    """Connections that stay open between the calls of one thread, one to each of a few places.

    One that rested for two seconds is not used again: where a server hangs up at the moment of a
    call, nobody knows whether it heard it.
    """

    REST_SECONDS, AGE_SECONDS, MOST = 2.0, 60.0, 4

    def __init__(self) -> None:
        self._open: dict[Origin, tuple[Any, float, float]] = {}

    def take(self, origin: Origin) -> tuple[Any, float] | None:
        """A connection to this place that may be used now, and when it was made."""
        connection, made, used = self._open.pop(origin, (None, 0.0, 0.0))
        if connection is None:
            return None
        now = time.monotonic()
        fresh = now - made < self.AGE_SECONDS and now - used < self.REST_SECONDS
        if not fresh or not connection.is_connected:
            connection.close()
            return None
        try:
            address = ipaddress.ip_address(str(connection.sock.getpeername()[0]).split("%")[0])
            reach.permit(host=reach.normal_host(origin[1]), address=address, port=origin[2])
        except (OSError, ValueError, Blocked):
            connection.close()
            return None
        return connection, made

    def put(self, origin: Origin, connection: Any, made: float) -> None:
        """Keep a connection whose last answer was read to its end."""
        if len(self._open) >= self.MOST:
            self.close()
        self._open[origin] = connection, made, time.monotonic()

    def close(self) -> None:
        for connection, _made, _used in self._open.values():
            connection.close()
        self._open.clear()
