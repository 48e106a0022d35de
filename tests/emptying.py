"""Empties the test database after a test that committed, in the time that what it stored is worth.

Django's own way cuts every one of some hundred tables, makes content types and permissions anew and
connects again, however little was stored; most tests store a dozen rows in ten tables.
"""

import contextlib
from typing import Any

from django.db import ProgrammingError, connection, transaction
from django.test import TransactionTestCase

# As every migration leaves them; nothing but a migration writes them.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
# A table that was written has pages until a vacuum takes them off, so no row need be looked for.
WRITTEN = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relpersistence = 'p'
        AND NOT relname = ANY(%s) AND pg_relation_size(oid) > 0"""


def empty(_self: Any = None) -> None:
    """Leave every table as the migrations do.

    A deleted row's place would be taken by a later one, and tests see rows in another order than
    they came. So the places go too; where somebody still looks at them, the tables are cut, which
    takes ten times as long, as all tables that point at them are cut with them.
    """
    if not (tables := _written()):
        return
    # Only an administrator may pass over guards of rows and keys between them, as all rows go.
    with contextlib.suppress(ProgrammingError), connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(";".join(f"DELETE FROM {table}" for table in tables))
        cursor.execute(f"VACUUM {', '.join(tables)}")
        # As of a table that was cut, nothing is known of how many rows it has.
        cursor.execute(
            "UPDATE pg_class SET reltuples = -1 WHERE oid = ANY(%s::text[]::regclass[])", [tables]
        )
    if tables := _written():
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")


def _written() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN, [list(KEPT)])
        return [table for (table,) in cursor.fetchall()]


def install() -> None:
    TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]
