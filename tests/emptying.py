"""Empties the test database after a test that committed, in the time that what it stored is worth.

Django's own way cuts every one of some hundred tables and makes content types and permissions
anew, however little was stored; most tests store a dozen rows in ten tables.
"""

import functools
from typing import Any

from django.db import connection, transaction
from django.test import TransactionTestCase

# As every migration leaves them; nothing but a migration writes them.
KEPT = {"django_content_type", "auth_permission"}
# Made by SQL, so Django does not know it as a table of ours.
BESIDE = {"ingestion_event"}


@functools.cache
def _question() -> str:
    """Asks which tables hold a row."""
    known = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"
        for table in sorted({*known, *BESIDE} - KEPT)
    )


def empty(_self: Any = None) -> None:
    """Leave every table as the migrations do. A deleted row's place would be taken by a later one,
    and tests see rows in another order than they came, so tables are cut."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_question())
        filled = [table for (table,) in cursor.fetchall()]
        if filled:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def install() -> None:
    TransactionTestCase._fixture_teardown = empty  # type: ignore[method-assign]
