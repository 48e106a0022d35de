"""Any SQL database through SQLAlchemy: a table or a query, read-only, streamed, by a cursor column.

With a column that only grows (a number, or the moment of the last change) each fetch asks for what
lies at or after the last value. Rows at that very value are remembered by digest, so that one which
was written later with the same value is found and none comes twice. Without such a column the whole
result is read each time, and not imported again while it stays the same.
"""

import contextlib
import hashlib
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any
from uuid import UUID

import orjson
import psycopg2
import pymysql
import sqlalchemy as sa
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from ingestion.connectors import places
from ingestion.connectors.base import Batch, Cursor, Field, Kind, Row, Sample, number, show, wrong
from marketing.core import reach, vault
from marketing.core.errors import Invalid, Unavailable

BATCH = 5_000
_TIES = 20_000  # rows that may share the last value of the cursor column
_DIALECTS = {
    "postgresql": ("postgresql+psycopg2", 5432),
    "mysql": ("mysql+pymysql", 3306),
    "sqlite": ("sqlite", 0),
    "mssql": ("mssql+pymssql", 1433),
    "oracle": ("oracle+oracledb", 1521),
}
_SERVERS = ("postgresql", "mysql", "mssql", "oracle")
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*){0,2}", re.ASCII)
_BEGIN = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_QUOTED = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL
)


class Database(Kind):
    """Rows of a table or query."""

    key = "sql"
    goes_to = ("variant", "host", "port", "database", "user", "tls")
    reads_from = ("variant", "host", "port", "database", "file", "query", "cursor_column")
    variants = (
        ("postgresql", "PostgreSQL"),
        ("mysql", "MySQL, MariaDB"),
        ("sqlite", "SQLite"),
        ("mssql", "SQL Server"),
        ("oracle", "Oracle"),
    )
    fields = (
        Field("host", gettext_lazy("Server"), required=True, only=_SERVERS, limit=253),
        Field(
            "port",
            gettext_lazy("Port"),
            kind="number",
            only=_SERVERS,
            hint=gettext_lazy("Empty for the usual one."),
        ),
        Field("database", gettext_lazy("Database"), required=True, only=_SERVERS, limit=128),
        Field(
            "file",
            gettext_lazy("File"),
            required=True,
            only=("sqlite",),
            hint=gettext_lazy("Its path inside a folder that the server allows."),
        ),
        Field(
            "user",
            gettext_lazy("User name"),
            required=True,
            only=_SERVERS,
            limit=128,
            hint=gettext_lazy("Use a role that may only read."),
        ),
        Field("password", gettext_lazy("Password"), secret=True, only=_SERVERS),
        Field(
            "tls",
            gettext_lazy("Encryption"),
            kind="select",
            only=("postgresql", "mysql"),
            default="verify",
            choices=(
                ("verify", gettext_lazy("Required, certificate checked")),
                ("require", gettext_lazy("Required")),
                ("off", gettext_lazy("None")),
            ),
            hint=gettext_lazy("Without encryption the password crosses the network in clear."),
        ),
        Field(
            "query",
            gettext_lazy("Table or query"),
            kind="long",
            required=True,
            placeholder="SELECT order_id, ordered_at, email, total FROM orders",
            hint=gettext_lazy("A table's name, or one SELECT. It is run read-only."),
        ),
        Field(
            "cursor_column",
            gettext_lazy("Column that only grows"),
            limit=128,
            placeholder="updated_at",
            hint=gettext_lazy(
                "A number or the time of the last change: then each fetch takes what is new. "
                "Empty reads everything each time. Rows without a value in it are left out."
            ),
        ),
    )

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, Any]) -> None:
        number(given, "port", low=1, high=65_535, default=1)
        query = str(given.get("query") or "").strip()
        if not _NAME.fullmatch(query):
            statement = query.rstrip().rstrip(";")
            if not _BEGIN.match(statement) or ";" in _QUOTED.sub("", statement):
                raise wrong(
                    "query", _("Give a table's name, or one statement that begins with SELECT.")
                )
        column = str(given.get("cursor_column") or "").strip()
        if '"' in column or "\n" in column:
            raise wrong("cursor_column", _("This is not the name of a column."))
        if given.get("variant") == "sqlite":
            places.allowed(str(given.get("file") or ""), field="file")

    # --- reaching the database -----------------------------------------------------------------

    def _engine(self) -> sa.Engine:
        name, usual = _DIALECTS[self.variant]
        options: dict[str, Any] = {"poolclass": sa.pool.NullPool, "hide_parameters": True}
        port = number(self.given, "port", low=1, high=65_535, default=usual or 1)
        try:
            if self.variant == "sqlite":
                path = places.allowed(self.text("file"), field="file")
                if not path.is_file():
                    raise wrong("file", _("There is no such file."))
                url = f"sqlite:///file:{path}?mode=ro&uri=true"
                return sa.create_engine(url, connect_args={"timeout": 10}, **options)
            made = {"postgresql": self._postgresql, "mysql": self._mysql}.get(self.variant)
            if made is not None:
                return sa.create_engine(f"{name}://", creator=lambda: made(port), **options)
            address = reach.resolve(host=self.text("host"), port=port, ports=(usual,))[0]
            return sa.create_engine(
                sa.URL.create(
                    name,
                    username=self.text("user"),
                    password=str(self.given.get("password") or "") or None,
                    host=str(address),
                    port=port,
                    database=self.text("database"),
                ),
                **options,
            )
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise Invalid(
                _("The driver for %(database)s is not installed on this server.")
                % {"database": dict(self.variants)[self.variant]},
                code="driver_missing",
                field="variant",
                remedy=_("Install the Python package %(package)s, then try again.")
                % {"package": name.rsplit("+", 1)[-1]},
            ) from error

    def _postgresql(self, port: int) -> Any:
        host = self.text("host")
        address = reach.resolve(host=host, port=port, ports=(_DIALECTS["postgresql"][1],))[0]
        mode = {"verify": "verify-full", "require": "require", "off": "disable"}
        chosen = self.text("tls") or "verify"
        checked: dict[str, Any] = {"sslrootcert": "system"} if chosen == "verify" else {}
        return psycopg2.connect(
            host=host,
            hostaddr=str(address),
            port=port,
            dbname=self.text("database"),
            user=self.text("user"),
            password=str(self.given.get("password") or ""),
            sslmode=mode[chosen],
            connect_timeout=10,
            application_name="perennial",
            options="-c default_transaction_read_only=on -c statement_timeout=600000",
            **checked,
        )

    def _mysql(self, port: int) -> Any:
        mode = self.text("tls") or "verify"
        tls: dict[str, Any] = {"ssl_disabled": True}
        if mode != "off":
            context = ssl.create_default_context()
            if mode == "require":
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            tls = {"ssl": context}
        connection = pymysql.connect(
            host=self.text("host"),
            port=port,
            user=self.text("user"),
            password=str(self.given.get("password") or ""),
            database=self.text("database"),
            charset="utf8mb4",
            read_timeout=600,
            local_infile=False,
            defer_connect=True,
            **tls,
        )
        connection.connect(
            reach.connect(
                host=self.text("host"), port=port, timeout=10, ports=(_DIALECTS["mysql"][1],)
            )
        )
        return connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """A connection that can only read. Errors of the database come out in words."""
        try:
            engine = self._engine()
            with engine.connect() as connection:
                if self.variant == "postgresql":
                    connection.execution_options(
                        postgresql_readonly=True, isolation_level="REPEATABLE READ"
                    )
                elif self.variant == "mysql":
                    connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
                    connection.rollback()
                elif self.variant == "sqlite":
                    connection.exec_driver_sql("PRAGMA query_only = 1")
                try:
                    yield connection
                finally:
                    with contextlib.suppress(SQLAlchemyError):
                        connection.rollback()
        except OSError as error:
            raise Unavailable(
                _("The database server could not be reached."), code="unreachable"
            ) from error
        except (SQLAlchemyError, psycopg2.Error, pymysql.Error) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> Exception:
        said = str(error.orig if isinstance(error, DBAPIError) and error.orig else error)
        said = " ".join(vault.redact(said, [str(self.given.get("password") or "")]).split())
        return Unavailable(
            _("The database answered: %(said)s") % {"said": said[:300]}, code="database_refused"
        )

    # --- reading -------------------------------------------------------------------------------

    def _statement(self, last: Any = None, limit: int | None = None) -> sa.Select[Any]:
        query = self.text("query")
        source: Any
        if _NAME.fullmatch(query):
            *schema, name = query.split(".")
            source = sa.table(name, schema=".".join(schema) or None)
        else:
            # A colon in the query is the query's own, not a parameter.
            body = query.rstrip().rstrip(";").replace(":", "\\:")
            source = sa.text(f"(\n{body}\n) fetched")
        statement = sa.select(sa.text("*")).select_from(source)
        if name := self.text("cursor_column"):
            column: Any = sa.column(name)
            statement = statement.where(column.is_not(None)).order_by(column)
            if last is not None:
                statement = statement.where(column >= sa.literal(last))
        return statement if limit is None else statement.limit(limit)

    def test(self) -> Sample:
        self.refuse_nonsense(self.given)
        begun = time.monotonic()
        with self._reading() as connection:
            found = connection.execute(self._statement(limit=20))
            rows: list[Row] = [dict(row) for row in found.mappings()]
            columns = list(found.keys())
        if (name := self.text("cursor_column")) and rows and name not in columns:
            raise wrong("cursor_column", _("The result has no column of this name."))
        milliseconds = round((time.monotonic() - begun) * 1000)
        if not rows:
            return Sample(_("Connected. The result is empty."), columns=columns)
        return Sample(
            _("Connected. The first rows came after %(n)d ms.") % {"n": milliseconds}, *show(rows)
        )

    def pull(self, cursor: Cursor) -> Iterator[Batch]:
        name = self.text("cursor_column")
        start = last = unpack(cursor.get("last")) if name else None
        taken = ties = set(cursor.get("ties", []))
        with self._reading() as connection:
            found = connection.execution_options(stream_results=True, yield_per=BATCH).execute(
                self._statement(start)
            )
            names = list(found.keys())
            if name and name not in names:
                raise wrong("cursor_column", _("The result has no column of this name."))
            for part in found.partitions(BATCH):
                self.check()
                rows = [dict(zip(names, row, strict=True)) for row in part]
                if not name:
                    yield Batch(rows, {})
                    continue
                end = rows[-1][name]
                tail = {digest(r) for r in takewhile(lambda r: r[name] == end, reversed(rows))}  # noqa: B023
                ties = ties | tail if end == last else tail
                last = end
                if len(ties) > _TIES:
                    raise wrong(
                        "cursor_column",
                        _("More than %(n)d rows have the same value in “%(column)s”.")
                        % {"n": _TIES, "column": name},
                    )
                fresh = [r for r in rows if r[name] != start or digest(r) not in taken]
                yield Batch(fresh, {"last": pack(last), "ties": sorted(ties)})


def digest(row: Mapping[str, Any]) -> str:
    """A short name of a row's content."""
    packed = orjson.dumps({k: str(v) for k, v in row.items()}, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(packed, digest_size=8).hexdigest()


_READERS: dict[str, Any] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "Decimal": Decimal,
    "UUID": UUID,
    "int": int,
    "float": float,
    "str": str,
}


def pack(value: Any) -> list[str]:
    """A cursor value as JSON can hold it."""
    name = type(value).__name__
    if name not in _READERS:
        raise wrong(
            "cursor_column",
            _("A column of this type (%(name)s) cannot say what is new.") % {"name": name},
        )
    return [name, value.isoformat() if isinstance(value, date) else str(value)]


def unpack(packed: Any) -> Any:
    """The value that was packed; None for none."""
    return _READERS[packed[0]](packed[1]) if packed else None
