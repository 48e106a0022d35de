"""What people did before a moment, in order."""

from datetime import timedelta

import numpy as np
import pytest

from ingestion import events
from ingestion.models import Customer
from models_ml.features import reading, sequences
from models_ml.features.reading import Asked
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def asked(*rows) -> Asked:
    return Asked(
        np.array([person.pk for person, _at in rows], dtype=np.int64),
        np.array([reading.as_moment(at) for _person, at in rows], dtype="datetime64[s]"),
    )


def did(person: Customer, what: str, *, days_ago: float, **properties: object) -> None:
    at = NOW - timedelta(days=days_ago)
    events.record(
        batch=[
            events.Incoming(
                type=what,
                at=at,
                message_id=f"{person.pk}-{what}-{days_ago}",
                customer_id=person.pk,
                properties=properties,
            )
        ],
        source="test",
        now=NOW,
    )


def told(found, row):
    here = slice(found.start[row], found.start[row + 1])
    return [
        (found.names[kind], round(float(days), 3), float(worth))
        for kind, days, worth in zip(
            found.kind[here], found.days_before[here], found.worth[here], strict=True
        )
    ]


def test_deeds_come_oldest_first_and_none_from_the_moment_on():
    ann = factories.customer("ann")
    factories.order(ann, days_ago=10, lines=[(factories.product("CUP", price=15), 2)])
    did(ann, "product_viewed", days_ago=12)
    did(ann, "product_viewed", days_ago=3)
    moment = NOW - timedelta(days=3)
    found = sequences.read(asked=asked((ann, moment)))
    assert told(found, 0) == [
        ("product_viewed", 9.0, 0.0),
        (sequences.ORDERED, 7.0, 30.0),
    ]


def test_a_person_at_two_moments_is_two_rows_and_a_stranger_an_empty_one():
    ann, ben = factories.customer("ann"), factories.customer("ben")
    did(ann, "product_viewed", days_ago=5)
    found = sequences.read(asked=asked((ann, NOW), (ben, NOW), (ann, NOW - timedelta(days=6))))
    assert found.counts.tolist() == [1, 0, 0]


def test_only_the_newest_are_kept():
    ann = factories.customer("ann")
    for day in range(1, sequences.LENGTH + 6):
        did(ann, "product_viewed", days_ago=day)
    found = sequences.read(asked=asked((ann, NOW)))
    assert found.counts.tolist() == [sequences.LENGTH]
    assert found.days_before[0] == sequences.LENGTH
    assert found.days_before[-1] == 1


def test_what_a_machine_opened_was_not_done_by_the_person():
    ann = factories.customer("ann")
    did(ann, "email_opened", days_ago=2, machine=True)
    did(ann, "email_opened", days_ago=1)
    found = sequences.read(asked=asked((ann, NOW)))
    assert [days for _name, days, _worth in told(found, 0)] == [1.0]


def test_nobody_asked_gives_nothing():
    empty = Asked(np.empty(0, np.int64), np.empty(0, "datetime64[s]"))
    assert len(sequences.read(asked=empty)) == 0
