"""A mail provider that unsubscribes one reader a hundred times at once is answered each time.

FAULTS=full posts ten thousand times.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client

from campaigns.messaging import addresses
from campaigns.models import Message
from ingestion.models import Consent, Suppression
from tests.campaigns.conftest import people, started

pytestmark = pytest.mark.django_db(transaction=True)
POSTS, LINES = 10_000 if os.environ.get("FAULTS") == "full" else 96, 8


def test_many_posts_of_one_token_leave_one_answer_and_one_suppression() -> None:
    reader = people(1)[0]
    message = Message.objects.get(run=started())
    path = addresses.of_message(message.message_id)["unsubscribe_url"].split("/", 3)[3]

    line = threading.local()

    def post(_n: int) -> int:
        if not hasattr(line, "client"):
            line.client = Client()  # one a line, as a provider's
        answer = line.client.post(f"/{path}", {"List-Unsubscribe": "One-Click"})
        connection.close()
        return answer.status_code

    with ThreadPoolExecutor(LINES) as lines:
        assert set(lines.map(post, range(POSTS))) == {200}
    said = Consent.objects.filter(customer=reader, granted=False)
    assert [(row.current, row.source) for row in said] == [(True, "unsubscribe")]
    assert Consent.objects.filter(customer=reader).count() == 2
    assert [row.address for row in Suppression.objects.all()] == [reader.email]
