"""Many changes of tables as one step of a migration."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class Tables(Operation):
    """New tables with all that is added to them before they are first used, as one step.

    After each operation Django renders every model that is related to the changed one, which for
    tables that all know each other grows with the square of their number: the first release took
    13 s of a processor in a new database, nearly none of it PostgreSQL's. Here they are rendered
    once, as they stand after the last operation. Columns, indexes and constraints that come after
    the table's own operation are therefore made with the table.

    ValueError for an operation on a table that is not made here: nothing would do it.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations
        made = {one.name_lower for one in self._made()}
        for one in operations:
            if (
                not isinstance(one, CreateModel)
                and getattr(one, "model_name_lower", "") not in made
            ):
                raise ValueError(f"“{one.describe()}” changes no table of this step.")

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__qualname__, [self.operations], {}

    def describe(self) -> str:
        return f"Create {len(list(self._made()))} tables"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.__dict__.pop("apps", None)  # rendered anew when it is asked for
        for operation in self.operations:
            operation.state_forwards(app_label, state)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for made in self._made():
            made.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        for made in reversed(list(self._made())):
            made.database_backwards(app_label, schema_editor, from_state, to_state)

    def _made(self) -> Iterator[CreateModel]:
        return (one for one in self.operations if isinstance(one, CreateModel))
