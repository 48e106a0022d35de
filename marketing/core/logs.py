"""Lines of the log, which nothing else may depend on."""

import logging
import sys
import threading

_lock = threading.Lock()
_dropped = 0


class Forgiving(logging.StreamHandler):
    """Writes lines where it can. One that cannot be written (a full disk) is dropped and counted:
    the work it tells of goes on.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        global _dropped
        if not isinstance(sys.exc_info()[1], OSError):
            return super().handleError(record)
        with _lock:
            _dropped += 1
        return None


def dropped() -> int:
    """How many lines this process could not write."""
    return _dropped
