"""Tell a worker that something waits, off the request and never more often than useful.

A queue that does not answer must not hold up an answer, so a thread of this process does the
telling. What it could not tell, the periodic twin of the task finds. A nudge that waits for a
worker stands for all that come before it is heard, from whichever process: otherwise they pile up
by hundreds behind a worker that is busy with the very rows they tell of.
"""

import contextlib
import os
import threading
import time

import redis
from django.core.cache import cache

from marketing.core import bus

PAUSE = 0.1  # seconds between two nudges of one process
EXPIRES = 5.0


class Nudger:
    """Nudges one task; cheap to call for every request."""

    def __init__(self, task: str, *, queue: str, pause: float = PAUSE) -> None:
        self.task, self.queue, self._pause = task, queue, pause
        self._key = f"nudged:{task}"
        self._wanted = threading.Event()
        self._thread: tuple[int, threading.Thread] | None = None
        self._lock = threading.Lock()

    def nudge(self) -> None:
        """Have the task started soon. Costs nothing while an earlier nudge is still under way."""
        thread = self._thread
        if self._wanted.is_set() and thread is not None and thread[0] == os.getpid():
            return
        self._wanted.set()
        self._ensure_thread()

    def heard(self) -> None:
        """The task begins. It calls this before it looks for work, so nothing is left untold."""
        with contextlib.suppress(redis.RedisError, OSError):
            cache.delete(self._key)

    def _alone(self) -> bool:
        """Whether no other nudge waits to be heard; also when nobody can say."""
        try:
            return bool(cache.add(self._key, 1, EXPIRES))
        except (redis.RedisError, OSError):
            return True

    def _ensure_thread(self) -> None:
        with self._lock:
            known = self._thread
            if known is None or known[0] != os.getpid() or not known[1].is_alive():
                thread = threading.Thread(target=self._tell, name=f"nudge {self.task}", daemon=True)
                self._thread = (os.getpid(), thread)
                thread.start()

    def _tell(self) -> None:
        while True:
            self._wanted.wait()
            time.sleep(self._pause / 4)  # the commit that we tell about is a moment away at most
            self._wanted.clear()
            if self._alone():
                bus.nudge(self.task, queue=self.queue, expires=EXPIRES)
            time.sleep(self._pause)
