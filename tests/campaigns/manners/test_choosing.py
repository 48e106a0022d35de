"""When a campaign is sent is chosen on its page and by API, and each choice is checked."""

from datetime import time

import pytest
from django.urls import reverse

from campaigns import drafts
from campaigns.models import Campaign, Run
from campaigns.sending import runs
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.conftest import campaign

pytestmark = pytest.mark.django_db
CHOSEN = {
    "timing": "local",
    "local_time": "18:30",
    "if_passed": "now",
    "useful_hours": "6",
    "urgent": "on",
}


def test_the_choices_of_the_page_are_kept_copied_and_frozen_with_the_run() -> None:
    of = campaign()
    factories.customer("ada")
    page = factories.signed_in()
    answer = page.post(reverse("campaigns:campaign-timing", args=[of.pk]), CHOSEN)
    assert answer.status_code == 302
    copied = drafts.copy(campaign_id=of.pk, user=None, now=factories.NOW)
    for row in (Campaign.objects.get(pk=of.pk), copied):
        row.refresh_from_db()
        assert (row.timing, row.local_time, row.if_passed) == ("local", time(18, 30), "now")
        assert (row.useful_hours, row.urgent) == (6, True)
    run = runs.start(campaign_id=of.pk, user=None, now=factories.NOW)
    kept = Run.objects.get(pk=run.pk).snapshot
    assert kept["timing"] == {"kind": "local", "at": "18:30", "if_passed": "now"}
    assert (kept["urgent"], kept["useful_hours"]) == (True, 6)


def test_the_page_shows_what_was_chosen_and_whoever_only_looks_cannot_change_it() -> None:
    of = campaign()
    drafts.save(
        campaign_id=of.pk, values={**CHOSEN, "useful_hours": 6}, user=None, now=factories.NOW
    )
    address = reverse("campaigns:campaign-timing", args=[of.pk])
    text = factories.signed_in().get(address).content.decode()
    assert 'value="18:30"' in text
    assert '<option value="local" selected>' in text
    answer = factories.signed_in("analyst").post(address, {"timing": "once"})
    assert answer.status_code == 403
    of.refresh_from_db()
    assert of.timing == "local"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timing", "whenever"),
        ("local_time", "25:00"),
        ("local_time", "09:00+02:00"),
        ("local_time", ""),
        ("if_passed", "never"),
        ("useful_hours", 0),
        ("useful_hours", 721),
        ("useful_hours", "six"),
        ("urgent", "perhaps"),
    ],
)
def test_a_choice_that_is_none_is_refused_by_name(name, value) -> None:
    of = campaign()
    with pytest.raises(Invalid) as refusal:
        drafts.save(campaign_id=of.pk, values={name: value}, user=None, now=factories.NOW)
    assert refusal.value.field == name
