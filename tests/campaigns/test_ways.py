"""A kind of channel is said once, and whoever speaks of kinds speaks of every one."""

import re
from pathlib import Path

import pytest

from campaigns.channels import writing
from campaigns.journeys import acts, kinds
from campaigns.manners import rules
from campaigns.messaging import claims, parts
from campaigns.messaging.providers import base, everything
from campaigns.models import Channel
from campaigns.recipients import routes
from campaigns.segments import naming, questions
from campaigns.views import channels, journeys_words
from campaigns.ways import AGREED, WAYS, asks
from ingestion import consent
from ingestion.models import Customer, Suppression
from ingestion.views import privacy
from marketing.core.errors import Invalid
from tests import factories

NOT_MAILS = set(WAYS) - {"email"}  # a mail is written in a page of its own


def test_every_kind_of_channel_has_a_name_a_picture_a_provider_and_something_to_say() -> None:
    assert set(Channel.Kind.values) == set(WAYS)
    assert set(rules.CHANNELS) == set(WAYS)
    assert set(base.POLICY) == set(WAYS)
    assert set(channels.LOOKS) == set(WAYS)
    assert set(parts.PARTS) == set(parts.NEEDED) == set(parts._LIMITS) == NOT_MAILS
    begins = {kind: set(begin) for kind, begin in writing.BEGINS.items()}
    assert begins == {kind: set(names) for kind, names in parts.PARTS.items()}
    assert {provider.kind for provider in everything().values()} == set(WAYS)
    assert set(journeys_words.MESSAGES) == set(kinds.CHANNELS)
    asked = set(consent.CHANNELS)
    assert {key for key in WAYS if asks(key) == AGREED} == asked
    assert set(questions.CHANNELS) == set(naming.CHANNELS) == set(privacy.CHANNELS) == asked


@pytest.mark.django_db
def test_by_a_channel_that_consent_has_no_words_for_nobody_is_written_to() -> None:
    """Whatever they agreed to elsewhere. An inbox and a webhook are said to need no yes."""
    ada = factories.customer("ada")

    def why_not(channel: str) -> tuple[str, str]:
        (row,) = routes.addressed(Customer.objects.all(), channel=channel)
        due = claims.Due(1, ada.pk, channel, ada.email if channel == "email" else "")
        return row.reason, claims.unwanted([due]).get(1, "")

    assert why_not("email") == ("", "")
    assert why_not("fax") == ("no_consent", "no_consent")
    with pytest.raises(Invalid, match="no such channel"):
        consent.record(answers=[], channel="fax", source="form")
    assert why_not("inbox") == why_not("webhook") == ("", "")
    Suppression.objects.create(
        kind=Suppression.Kind.PERSON, channel=consent.EVERY, customer=ada, reason="manual"
    )
    assert why_not("inbox") == ("suppressed", "suppressed")
    assert why_not("webhook") == ("", "")


def test_every_action_of_a_journey_is_done_by_somebody() -> None:
    written = Path(acts.__file__).read_text()
    done = {key for line in re.findall(r"case (\".*?):", written) for key in line.split(" | ")}
    actions = {key for key, kind in kinds.KINDS.items() if kind.group == kinds.ACTION}
    assert {key.strip('"') for key in done} == actions
