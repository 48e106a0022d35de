"""Lines of the log, which nothing else may depend on, and in which nobody is named.

What an error says may quote what somebody sent: an address in a duplicate key, a name in a number's
place. Every line therefore goes through `conceal` before it is written.
"""

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime

from celery import current_task

_lock = threading.Lock()
_dropped = 0

_HIDDEN = "…"
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@(?:[\w-]+\.)+[^\W\d_]{2,}")
_TELEPHONE = re.compile(r"\+\d[\d ().-]{6,}\d")
# Lines of PostgreSQL in which rows, parameters and statements are quoted.
_QUOTING = re.compile(
    r"^((?:\S*Error: )?(?:DETAIL|CONTEXT|QUERY|STATEMENT|LINE \d+):).*$", re.MULTILINE
)
# Sentences of PostgreSQL and of Python whose quotation is the value that was refused.
_REFUSED = re.compile(
    r"(\b(?:(?:invalid (?:input|byte|literal|date|regular)|malformed|could not convert|"
    r"date/time field value)\b[^\"'\n]*|(?:value|time data) ))(?:\"[^\"\n]*\"|'[^'\n]*')"
)


def conceal(text: str) -> str:
    """The text without addresses, telephone numbers and values that an error quotes."""
    if "@" in text:
        text = _ADDRESS.sub(f"{_HIDDEN}@{_HIDDEN}", text)
    text = _QUOTING.sub(rf"\1 {_HIDDEN}", text)
    text = _REFUSED.sub(rf'\1"{_HIDDEN}"', text)
    return _TELEPHONE.sub(f"+{_HIDDEN}", text)


# What moves a terminal's cursor, or begins a line for some reader of logs.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Plain(logging.Formatter):
    """A line for people: time, level, who says it, and what. Only a new line begins at its margin,
    whatever was sent to us and is quoted.
    """

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name} {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        text = _CONTROLS.sub(lambda found: repr(found[0])[1:-1], conceal(super().format(record)))
        return text.replace("\n", "\n    ")


class Json(logging.Formatter):
    """One JSON object a line, for a collector of logs: at, level, logger, message, process, and
    where there is one task (with task_id) and error (with its traceback).
    """

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": conceal(record.getMessage()),
            "process": record.process,
        }
        if current_task:
            said |= {"task": current_task.name, "task_id": current_task.request.id}
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = record.exc_info[0].__name__
            said["traceback"] = conceal(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=False, default=str)


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
