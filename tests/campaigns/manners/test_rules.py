"""The shop's own rules of sending are checked before they hold."""

from datetime import time

import pytest

from campaigns.manners import rules
from campaigns.models import SendingRules
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def save(caps=(), quiet=None) -> rules.Rules:
    return rules.save(caps=caps, quiet=quiet or {}, actor=None, now=NOW)


def test_a_new_shop_has_no_rules() -> None:
    assert rules.current() == rules.Rules()
    assert rules.current().none


def test_rules_are_replaced_whole_and_the_change_is_on_record() -> None:
    admin = factories.user("admin")
    rules.save(
        caps=[{"channel": "sms", "days": "7", "most": "2"}],
        quiet={"sms": ["20:00", "09:30"]},
        actor=admin,
        now=NOW,
    )
    assert rules.current() == rules.Rules(
        (rules.Cap("sms", 7, 2),), {"sms": (time(20), time(9, 30))}
    )
    save(caps=[{"channel": "", "days": 1, "most": 1}])
    assert rules.current() == rules.Rules((rules.Cap("", 1, 1),), {})
    assert SendingRules.objects.count() == 1
    first = AuditEntry.objects.order_by("id").first()
    assert (first.action, first.actor) == ("sending_rules.saved", admin)


def test_the_usual_rules_that_the_page_offers_are_accepted() -> None:
    found = save(rules.USUAL_CAPS, rules.USUAL_QUIET)
    assert len(found.caps) == len(rules.USUAL_CAPS)
    assert set(found.quiet) == {"sms", "push"}


@pytest.mark.parametrize(
    "cap",
    [
        {"channel": "email", "days": 0, "most": 1},
        {"channel": "email", "days": 1, "most": 0},
        {"channel": "email", "days": 91, "most": 1},
        {"channel": "email", "days": 1, "most": 1001},
        {"channel": "email", "days": True, "most": 1},
        {"channel": "email", "days": "1; DROP", "most": 1},
        {"channel": "pigeon", "days": 1, "most": 1},
        {"channel": "webhook", "days": 1, "most": 1},
        {},
    ],
)
def test_a_limit_that_is_none_is_refused_and_changes_nothing(cap) -> None:
    save(caps=[{"channel": "", "days": 1, "most": 1}])
    with pytest.raises(Invalid):
        save(caps=[cap])
    assert rules.current().caps == (rules.Cap("", 1, 1),)


def test_two_limits_of_one_channel_and_as_many_days_are_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        save(caps=[{"channel": "sms", "days": 1, "most": n} for n in (1, 2)])
    assert refusal.value.code == "twice"


@pytest.mark.parametrize(
    ("channel", "hours"),
    [
        ("email", ["21:00", "21:00"]),
        ("email", ["21:00"]),
        ("email", ["25:00", "08:00"]),
        ("email", ["21:00+02:00", "08:00"]),
        ("email", ["", ""]),
        ("inbox", ["21:00", "08:00"]),
        ("webhook", ["21:00", "08:00"]),
    ],
)
def test_hours_that_are_none_are_refused(channel, hours) -> None:
    with pytest.raises(Invalid):
        save(quiet={channel: hours})
    assert rules.current().none


@pytest.mark.parametrize("channel", [0, {}, [], None, False])
def test_a_channel_that_is_no_text_is_not_taken_for_all_of_them(channel) -> None:
    with pytest.raises(Invalid, match="no such channel"):
        save([{"channel": channel, "days": 1, "most": 1}])
    assert rules.current().none
