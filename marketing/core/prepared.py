"""Questions asked so often that PostgreSQL plans them once for each connection.

Planning a question over many tables takes several times as long as answering it for one person.
"""

import contextlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import psycopg2.errors
from django.db import DatabaseError, connection

# By connection as the driver has it, so that a new one begins with nothing.
_made: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
# The server forgot it (a pooler, DISCARD), or its tables have other columns now.
_GONE, _OTHER = "26000", "0A000"


@dataclass(frozen=True)
class Question:
    """A statement under the name by which the server keeps it; `types` are those of what is asked,
    which the text names as %(key)s."""

    name: str
    types: Mapping[str, str]
    text: str

    @cached_property
    def kept(self) -> str:
        """Its name on the server: another text, of another version of the platform, has another."""
        return f"{self.name}_{zlib.crc32(self.text.encode()):08x}"

    def rows(self, **asked: Any) -> list[tuple[Any, ...]]:
        """What the database answers; every key is given."""
        values = [asked[key] for key in self.types]
        try:
            return self._ask(values)
        except DatabaseError as error:
            if _code(error) not in (_GONE, _OTHER) or connection.in_atomic_block:
                raise
        self._forget()
        return self._ask(values)

    def _ask(self, values: list[Any]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            made = _made.setdefault(connection.connection, set())
            if self.kept not in made:
                self._prepare()
                made.add(self.kept)
            slots = ", ".join(["%s"] * len(values))
            cursor.execute(f"EXECUTE {self.kept} ({slots})", values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    def _prepare(self) -> None:
        text = self.text % {key: f"${place}" for place, key in enumerate(self.types, start=1)}
        # Past Django's cursor, which counts questions: this one is asked once for a connection.
        # Behind a pooler, somebody else may have made it on the connection that was lent.
        there_already = contextlib.suppress(psycopg2.errors.DuplicatePreparedStatement)
        with (
            connection.wrap_database_errors,
            connection.connection.cursor() as cursor,
            there_already,
        ):
            cursor.execute(f"PREPARE {self.kept} ({', '.join(self.types.values())}) AS {text}")

    def _forget(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_prepared_statements WHERE name = %s", [self.kept])
            if cursor.fetchone() is not None:
                cursor.execute(f"DEALLOCATE {self.kept}")
            _made.setdefault(connection.connection, set()).discard(self.kept)


def _code(error: DatabaseError) -> str:
    return getattr(error.__cause__, "pgcode", "") or ""
