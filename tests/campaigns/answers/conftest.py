"""Messages that really went out, and their mails."""

import pytest

from campaigns.messaging import delivery
from campaigns.models import Message
from tests.campaigns.conftest import people, started


@pytest.fixture
def sent(postbox):
    """Six messages of one run, sent by the real pump to the test's mail server."""
    people(6)
    run = started()
    delivery.deliver(run_id=run.pk)
    return list(Message.objects.filter(run=run, state="sent").order_by("id"))
