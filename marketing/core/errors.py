"""Ways in which the platform says no. A message states what happened and what to do about it."""

from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """A rule of the business said no; nothing was changed unless the message says otherwise."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        code: str = "refused",
        field: str | None = None,
        remedy: str | None = None,
        items: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.remedy = remedy
        self.items = list(items or [])

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else str(self.message)


class Forbidden(Refused):
    status = 403


class NotFound(Refused):
    status = 404


class Conflict(Refused):
    status = 409


class TooLarge(Refused):
    status = 413


class Invalid(Refused):
    status = 422


class Unavailable(Refused):
    status = 503
