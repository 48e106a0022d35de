"""A simulated shop that benchmarks keep is made once and is the same each time it is measured."""

from datetime import datetime

import pytest
from django.db import connection

from ingestion.models import Customer, CustomerRollup, OrderLine
from models_ml.benchmarks import shops
from models_ml.models import Score, Traits


@pytest.mark.django_db(transaction=True)
def test_a_kept_shop_is_made_once_and_what_is_done_in_it_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(shops.KEPT, "1")
    ours = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:  # a database is only copied while nobody else is in it
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    made: list[int] = []
    plant = shops.plant

    def planted(people: int, lines: int, *, now: datetime) -> None:
        made.append(people)
        plant(people, lines, now=now)

    monkeypatch.setattr(shops, "plant", planted)
    try:
        for _time in range(2):
            with shops.shop(60, 720):
                counted = [
                    table.objects.count() for table in (Customer, OrderLine, Traits, CustomerRollup)
                ]
                assert counted == [60, 720, 60, 60]
                assert shops.scored() == "bench"
                assert Score.objects.count() == 60
                OrderLine.objects.all().delete()
        assert made == [60]
        assert connection.settings_dict["NAME"] == ours
        assert not Customer.objects.exists()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = "postgres"
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS kept_60_720 WITH (FORCE)")
        connection.close()
        connection.settings_dict["NAME"] = ours
