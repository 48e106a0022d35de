"""The numbers of journeys: on the list, in the strip above the map, and at each step."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.journeys import figures
from campaigns.models import Enrollment, Journey, JourneyTally, JourneyVersion, Message
from campaigns.views import journeys_effect
from campaigns.views import journeys_words as words
from marketing.core.wording import DASH, ago, comma, pct

LATE = timedelta(minutes=5)
SENT = (Message.State.SENT, Message.State.UNKNOWN)


def by_state() -> dict[str, int]:
    """How many journeys there are in each state."""
    return dict(Journey.objects.values_list("state").annotate(n=Count("id")).order_by())


def rows(journeys: list[Journey]) -> list[dict[str, Any]]:
    """The list: what each journey is, who is in it, and whether it does well."""
    ids = [one.pk for one in journeys]
    now = timezone.now()
    people: dict[int, Any] = {
        row["journey"]: row
        for row in Enrollment.objects.filter(journey__in=ids)
        .exclude(outcome=Enrollment.Outcome.HELD)
        .values("journey")
        .annotate(
            entered=Count("pk"),
            inside=Count("pk", filter=Q(ended_at=None)),
            goals=Count("pk", filter=~Q(goal_at=None)),
            late=Count("pk", filter=Q(ended_at=None, wake_at__lt=now - LATE)),
        )
        .order_by()
    }
    sent: dict[int, Any] = {
        row["run__journey_version__journey"]: row
        for row in Message.objects.filter(run__journey_version__journey__in=ids)
        .values("run__journey_version__journey")
        .annotate(
            sent=Count("pk", filter=Q(state__in=SENT)),
            failed=Count("pk", filter=Q(state=Message.State.FAILED)),
        )
        .order_by()
    }
    caused = journeys_effect.shorts(journeys)
    return [
        _row(one, people.get(one.pk), sent.get(one.pk)) | {"caused": caused.get(one.pk)}
        for one in journeys
    ]


def _row(
    journey: Journey, people: dict[str, Any] | None, sent: dict[str, Any] | None
) -> dict[str, Any]:
    trigger = _trigger(journey)
    look = words.TRIGGERS.get(str(trigger.get("kind")), words.TRIGGERS["event"])
    n = len(journey.draft.get("nodes") or ())
    was_live = journey.state != Journey.State.DRAFT
    entered = people["entered"] if people else 0
    about = ngettext("%(n)s step", "%(n)s steps", n) % {"n": n}
    return {
        "journey": journey,
        "icon": look.icon,
        "hue": look.hue,
        "about": f"{look.label} · {about}",
        "entered": entered if was_live else None,
        "inside": people["inside"] if people else 0,
        "goal_rate": people["goals"] / entered if people and entered else None,
        "messages": sent["sent"] if sent else 0,
        "health": health(journey, people, sent),
    }


def _trigger(journey: Journey) -> dict[str, Any]:
    nodes = journey.draft.get("nodes") or {}
    found = nodes.get(journey.draft.get("start"))
    return found if isinstance(found, dict) else {}


def health(
    journey: Journey, people: dict[str, Any] | None, sent: dict[str, Any] | None
) -> dict[str, str]:
    """One word on whether a journey does what it should: {"text", "tone"}."""
    if journey.state == Journey.State.DRAFT:
        return {"text": _("Not live yet"), "tone": ""}
    if journey.state == Journey.State.PAUSED:
        return {"text": journey.paused_reason or _("Paused by hand"), "tone": "warn"}
    if journey.state == Journey.State.CLOSED:
        return {"text": _("Closed"), "tone": ""}
    tried = (sent["sent"] + sent["failed"]) if sent else 0
    if sent and sent["failed"] > max(5, tried * 0.05):
        n = sent["failed"]
        said = ngettext("%(n)s message failed", "%(n)s messages failed", n)
        return {"text": said % {"n": comma(n)}, "tone": "bad"}
    if people and people["late"]:
        n = people["late"]
        said = ngettext("%(n)s person is late", "%(n)s people are late", n)
        return {"text": said % {"n": comma(n)}, "tone": "warn"}
    return {"text": _("Runs well"), "tone": "good"}


def strip(journey: Journey, live: JourneyVersion | None) -> list[dict[str, Any]]:
    """The numbers above the map."""
    if live is None:
        n = len(journey.draft.get("nodes") or ())
        return [
            {"label": _("Steps"), "value": comma(n)},
            {"label": _("Draft saved"), "value": ago(journey.draft_at)},
        ]
    found = figures.totals(journey_id=journey.pk)
    people = reverse("campaigns:journey-people", args=[journey.pk])
    said = [
        {"label": _("Came in"), "value": comma(found.entered), "url": f"{people}?state=all"},
        {"label": _("Inside now"), "value": comma(found.inside), "url": people},
    ]
    if live.definition.get("goal"):
        share = pct(found.goal_share) if found.goal_share is not None else DASH
        url = f"{people}?state=goal"
        said.append({"label": _("Reached the goal"), "value": share, "url": url})
    if found.held:
        url = f"{people}?state=held"
        said.append({"label": _("Held out"), "value": comma(found.held), "url": url})
    if caused := journeys_effect.stat(journey, live):
        said.append(caused)
    if away := sum(found.turned_away.values()):
        reasons = [
            f"{JourneyTally.Reason(reason).label}: {comma(n)}"
            for reason, n in found.turned_away.items()
        ]
        said.append(
            {"label": _("Did not come in"), "value": comma(away), "about": "; ".join(reasons)}
        )
    said.append({"label": _("Version"), "value": str(live.number)})
    return said


def of_nodes(versions: list[JourneyVersion], journey: Journey) -> dict[str, Any]:
    """Each step's numbers in these versions, the newest first: those on the map, how many took each
    way, and all for its panel.
    """
    people = reverse("campaigns:journey-people", args=[journey.pk])
    mails = reverse("campaigns:journey-messages", args=[journey.pk])
    of = f"&version={versions[0].number}" if len(versions) == 1 else ""
    kinds = {
        key: str(node.get("kind"))
        for version in reversed(versions)
        for key, node in version.definition["nodes"].items()
    }
    return {
        node: {
            "count": _count(kinds.get(node, ""), found),
            "passed": found.passed,
            "ways": {way or "next": n for way, n in found.ways.items()},
            "numbers": _numbers(found) if kinds.get(node) == "send" else [],
            "all": _all(kinds.get(node, ""), found, people, mails, f"{node}{of}"),
        }
        for node, found in figures.of(*versions).items()
    }


def _count(kind: str, found: figures.Figures) -> str:
    """The one number at the right edge of a step."""
    if found.waiting:
        return _("%(n)s here") % {"n": comma(found.waiting)}
    left = found.ended.get(kind, 0) if kind in ("goal", "exit") else 0
    return comma(left or found.passed) if left or found.passed else ""


def _numbers(found: figures.Figures) -> list[tuple[str, str]]:
    """The three numbers of a message."""
    sent = found.sent
    return [
        (comma(sent), _("sent")),
        (pct(found.opened / sent) if sent else DASH, _("opened")),
        (pct(found.clicked / sent) if sent else DASH, _("clicked")),
    ]


def _all(
    kind: str, found: figures.Figures, people: str, mails: str, where: str
) -> list[tuple[str, str, str]]:
    """Everything that is known of a step: (number, words, address of what it counts)."""
    said = [
        (comma(found.waiting), _("here now"), f"{people}?step={where}" if found.waiting else ""),
        (
            comma(found.passed),
            _("passed"),
            f"{people}?state=all&passed={where}" if found.passed else "",
        ),
    ]
    sends = kind == "send"
    if sends:
        said += [
            (comma(n), words, f"{mails}?state={state}&step={where}" if n else "")
            for n, words, state in (
                (found.queued, _("to be sent"), "open"),
                (found.sent, _("sent"), "gone"),
                (found.skipped, _("not sent, with a reason"), "skipped"),
            )
        ]
    if found.failed:
        said.append(
            (
                comma(found.failed),
                _("failed"),
                f"{mails}?state=failed&step={where}" if sends else "",
            )
        )
    return said
