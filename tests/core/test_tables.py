"""Tables that are made in one step stand as if each operation had been a step of its own."""

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from marketing.core.tables import Tables

# Two that name each other: one reference can only be added once both stand.
OPERATIONS = [
    migrations.CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True))]),
    migrations.CreateModel(
        "Book",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("shelf", models.ForeignKey("core.shelf", models.CASCADE, related_name="books")),
        ],
    ),
    migrations.AddField(
        "shelf", "first", models.ForeignKey("core.book", models.CASCADE, null=True)
    ),
    migrations.AddField("book", "pages", models.IntegerField(default=1)),
    migrations.AddIndex("book", models.Index(fields=["pages"], name="book_pages")),
    migrations.AddConstraint(
        "book", models.CheckConstraint(condition=models.Q(pages__gt=0), name="book_has_pages")
    ),
]


def _columns_and_constraints() -> dict[str, object]:
    with connection.cursor() as cursor:
        return {
            table: (
                [
                    column[:6]
                    for column in connection.introspection.get_table_description(cursor, table)
                ],
                connection.introspection.get_constraints(cursor, table),
            )
            for table in connection.introspection.table_names(cursor)
            if table in ("core_shelf", "core_book")
        }


def _apply(operations: list[migrations.operations.base.Operation]) -> list[ProjectState]:
    states = [ProjectState()]
    with connection.schema_editor() as editor:
        for operation in operations:
            after = states[-1].clone()
            operation.state_forwards("core", after)
            operation.database_forwards("core", editor, states[-1], after)
            states.append(after)
    return states


@pytest.mark.django_db(transaction=True)
def test_one_step_makes_the_tables_of_many_and_takes_them_away_again():
    one_by_one = _apply(OPERATIONS)
    expected = _columns_and_constraints()
    with connection.schema_editor() as editor:
        for operation, after, before in zip(
            OPERATIONS[::-1], one_by_one[::-1], one_by_one[-2::-1], strict=False
        ):
            operation.database_backwards("core", editor, after, before)
    assert _columns_and_constraints() == {}

    step = Tables(OPERATIONS)
    empty, full = _apply([step])
    assert full == one_by_one[-1]
    assert set(expected) == {"core_shelf", "core_book"}
    assert _columns_and_constraints() == expected
    with connection.schema_editor() as editor:
        step.database_backwards("core", editor, full, empty)
    assert _columns_and_constraints() == {}


def test_a_step_refuses_what_changes_a_table_it_does_not_make():
    with pytest.raises(ValueError, match="“Add field pages to book” changes no table of this step"):
        Tables([OPERATIONS[0], OPERATIONS[3]])
