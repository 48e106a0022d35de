"""Bodies on their way in: somebody who sends a byte a minute must not hold the house.

The HTTP server gives each request a thread, and reading a body keeps it until the body is there; a
read cannot be given up. So only so many requests may read at once, and the other threads answer
pages: slow senders can hold up other senders, who are told to come again, and never the pages.
Small bodies are read here before a view sees the request; large ones, uploads, are read by their
views, fewer at a time. A proxy that waits for whole bodies keeps slow senders out altogether.
"""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

THREADS = int(os.environ.get("WEB_THREADS", "16"))  # of each web process, as `up` starts it
SEATS = max(1, THREADS * 5 // 8)  # small bodies read at once
UPLOADS = max(1, THREADS // 5)  # large ones at once; the rest of the threads is left for pages
PATIENCE = 0.2  # seconds to wait for a seat; a body that is there already holds none for long
SMALL = 1 << 20

_seats = threading.BoundedSemaphore(SEATS)
_uploads = threading.BoundedSemaphore(UPLOADS)


@contextmanager
def received(environ: dict[str, Any]) -> Iterator[bool]:
    """Within it a small body was read and a large one has a seat; False where there was none."""
    stated = environ.get("CONTENT_LENGTH") or ""
    length = int(stated[:18]) if stated.isdecimal() else -1
    if length == 0 or (length < 0 and "HTTP_TRANSFER_ENCODING" not in environ):
        yield True
    elif 0 < length <= SMALL:
        yield _read(environ, length)
    elif _uploads.acquire(timeout=PATIENCE):
        try:
            yield True
        finally:
            _uploads.release()
    else:
        yield False


def _read(environ: dict[str, Any], length: int) -> bool:
    if not _seats.acquire(timeout=PATIENCE):
        return False
    try:
        body = environ["wsgi.input"].read(length)
    except OSError:
        body = b""  # the sender went away
    finally:
        _seats.release()
    environ["wsgi.input"] = io.BytesIO(body)
    return True
