"""Questions that the server plans once for each connection."""

import pytest
from django.db import DatabaseError, connection

from marketing.core.prepared import Question

ADD = Question("test_add", {"a": "integer", "b": "integer"}, "SELECT %(b)s - %(a)s, 7 %% 4")
WIDE = Question("test_wide", {"least": "integer"}, "SELECT * FROM test_wide WHERE n > %(least)s")


def _plans() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'test%'")
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.django_db
def test_a_question_is_planned_once_and_asked_by_its_keys(django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        assert ADD.rows(b=5, a=2) == [(3, 3)]
        assert ADD.rows(a=5, b=None) == [(None, 3)]
    assert _plans() == [ADD.kept]
    with pytest.raises(KeyError):
        ADD.rows(a=1)


@pytest.mark.django_db(transaction=True)
def test_a_question_that_the_server_forgot_or_whose_table_changed_is_planned_anew() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE test_wide AS SELECT 1 AS n")
        assert WIDE.rows(least=0) == [(1,)]
        cursor.execute("DISCARD PLANS; DEALLOCATE ALL")
        assert WIDE.rows(least=0) == [(1,)]
        cursor.execute("ALTER TABLE test_wide ADD COLUMN word text DEFAULT 'new'")
        assert WIDE.rows(least=0) == [(1, "new")]
        cursor.execute("DROP TABLE test_wide")
    with pytest.raises(DatabaseError, match="test_wide"):
        WIDE.rows(least=0)
    connection.close()
    assert ADD.rows(a=1, b=2) == [(1, 3)]


@pytest.mark.django_db(transaction=True)
def test_a_question_that_a_poolers_other_client_planned_here_is_asked_all_the_same() -> None:
    connection.close()  # a line on which nothing of ours was planned
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE {ADD.kept} (integer, integer) AS SELECT $2 - $1, 7 % 4")

    assert ADD.rows(a=1, b=4) == [(3, 3)]
