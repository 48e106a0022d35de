"""Tell a worker that the inbox holds something, off the request and never more often than useful.

A queue that does not answer must not hold up an answer, so a thread of this process does the
telling. What it could not tell, the periodic drain finds.
"""

import os
import threading
import time

from marketing.core import bus

TASK = "ingestion.events.tasks.drain_inbox"
QUEUE = "events"
PAUSE = 0.1  # seconds between two nudges of one process
EXPIRES = 5.0
_wanted = threading.Event()
_thread: tuple[int, threading.Thread] | None = None
_lock = threading.Lock()


def nudge() -> None:
    """Have the drain started soon. Costs nothing while an earlier nudge is still under way."""
    if _wanted.is_set() and _thread is not None and _thread[0] == os.getpid():
        return
    _wanted.set()
    _ensure_thread()


def _ensure_thread() -> None:
    global _thread
    with _lock:
        if _thread is None or _thread[0] != os.getpid() or not _thread[1].is_alive():
            thread = threading.Thread(target=_tell, name="inbox-nudge", daemon=True)
            _thread = (os.getpid(), thread)
            thread.start()


def _tell() -> None:
    while True:
        _wanted.wait()
        time.sleep(PAUSE / 4)  # the commit that we tell about is a moment away at most
        _wanted.clear()
        bus.nudge(TASK, queue=QUEUE, expires=EXPIRES)
        time.sleep(PAUSE)
