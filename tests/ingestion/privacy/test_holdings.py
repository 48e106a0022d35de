"""Every table says what it keeps of people; one that nobody named fails here."""

import pytest
from django.apps import apps
from django.db import connection

from ingestion.models import Customer
from marketing.core import personal
from marketing.core.personal import Subject

pytestmark = pytest.mark.django_db
EVERYTHING = Subject(
    numbers=(1, 2),
    emails=("ada@example.com",),
    phones=("+442079460958",),
    external_ids=("C-1001",),
    devices=("device-1",),
    full_names=(("Ada", "Lovelace"),),
    rare_names=("Lovelace",),
)


def test_every_table_has_a_rule_or_a_reason_for_having_none() -> None:
    known = personal.registry()
    named = {holding.table for holding in known.holdings} | set(known.impersonal)
    tables = set(personal.tables())
    assert tables - named == set(), "tables without a rule about personal data"
    assert named - tables == set(), "rules about tables that do not exist"
    assert not {holding.table for holding in known.holdings} & set(known.impersonal)
    assert all(len(reason) >= 5 for reason in known.impersonal.values())


def test_no_table_that_points_at_a_person_is_called_impersonal() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT table_name FROM information_schema.columns"
            " WHERE table_schema = current_schema()"
            " AND column_name IN ('customer_id', 'email', 'phone', 'anonymous_id')"
        )
        pointing = {row[0] for row in cursor.fetchall()}
    pointing |= {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if any(field.related_model is Customer for field in model._meta.get_fields())
        and any(
            getattr(field, "concrete", False) and field.related_model is Customer
            for field in model._meta.get_fields()
        )
    }
    rules = {h.table: h for h in personal.registry().holdings}
    split = ("ingestion_event_", "models_ml_score_")  # parts of one table
    partitions = {name for name in pointing if name.startswith(split)}
    team = {"core_user"}  # people of the team sign in; they are no customers
    missing = {
        table
        for table in pointing - partitions - team
        if table not in rules or rules[table].rows == "false"
    }
    assert missing == set()


def test_every_statement_runs_for_a_person_with_every_kind_of_name() -> None:
    for holding in personal.registry().holdings:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {holding.table} WHERE {holding.rows}", EVERYTHING.params)
            shown = {column.name for column in cursor.description or ()}
            for keeps_orders in (True, False):
                if statement := holding.statement(keeps_orders=keeps_orders):
                    cursor.execute(statement, EVERYTHING.params)
        assert set(holding.hidden) | set(holding.scrub) | set(holding.examples) <= shown
        personal.scrub(
            table=holding.table,
            columns=(*holding.scrub, *holding.examples),
            expression=EVERYTHING.wider_expression,
        )


def test_a_new_table_without_a_rule_is_noticed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE ingestion_planted (customer_id bigint)")
    with pytest.raises(AssertionError, match="ingestion_planted"):
        test_every_table_has_a_rule_or_a_reason_for_having_none()


@pytest.mark.parametrize(
    "text",
    [
        "mail ADA@example.com now",
        '{"email": "ada@example.com"}',
        "+44 20 7946 0958",
        "020-7946-0958",
        "order of C-1001, paid",
        "Ada Lovelace",
        "Lovelace, Ada",
    ],
)
def test_a_name_is_found_however_it_is_written(text: str) -> None:
    assert EVERYTHING.is_named_in(text)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s ~* %s", [text, EVERYTHING.expression])
        assert cursor.fetchone() == (True,)


@pytest.mark.parametrize(
    "text",
    ["nada@example.com", "ada@example.community", "C-10015", "Ada Byron", "2079460", "Lovelace"],
)
def test_somebody_elses_name_is_not(text: str) -> None:
    assert not EVERYTHING.is_named_in(text)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s ~* %s", [text, EVERYTHING.expression])
        assert cursor.fetchone() == (False,)


def test_a_short_number_is_no_word_to_search_texts_for() -> None:
    assert Subject(numbers=(1,), external_ids=("17850",)).expression == ""
    assert Subject(numbers=(1,), external_ids=("17850",)).pattern is None
