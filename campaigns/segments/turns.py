"""One look at a time: who asks again gives up what they asked before.

A builder counts as its rule is typed. Whoever counts in a `turn` first stops the statement that the
same turn is still waiting for, wherever it runs, so that nobody pays for an answer that nobody will
see.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from django.db import OperationalError, connection
from django.utils.translation import gettext as _

from marketing.core.db import statement_timeout
from marketing.core.errors import Refused

_CANCELLED = "57014"
_STOP = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE application_name = %s AND state = 'active' AND datname = current_database()
  AND pid <> pg_backend_pid()
"""


class Superseded(Refused):
    """The same turn asked again meanwhile; nobody waits for this answer."""

    def __init__(self) -> None:
        super().__init__(_("A newer question took the place of this one."), code="superseded")


class OutOfTime(Exception):
    """The answer took longer than anybody wanted to wait."""


@contextmanager
def patiently(milliseconds: int, turn: str = "") -> Iterator[None]:
    """Statements in this block end after so long (OutOfTime), or when their turn begins again
    (Superseded).
    """
    began = time.monotonic()
    try:
        with statement_timeout(milliseconds):
            if turn:
                _take(turn)
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) != _CANCELLED:
            raise
        if turn and time.monotonic() - began < 0.95 * milliseconds / 1000:
            raise Superseded from error
        raise OutOfTime from error


def _take(turn: str) -> None:
    # The name of a connection is cut after 63 letters, and holds nothing of what people typed.
    name = "turn:" + blake2b(turn.encode(), digest_size=16).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(_STOP, [name])
        cursor.execute("SELECT set_config('application_name', %s, true)", [name])
