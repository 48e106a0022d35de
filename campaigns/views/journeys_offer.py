"""What the map of a journey offers: kinds of steps with their settings, and what these may name."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.journeys.kinds import KINDS, OWN, Field, Kind
from campaigns.models import Channel, Journey, Segment, Template
from campaigns.views import journeys_words as words
from campaigns.views import palette

MOST = 500
# What a new step begins with, where leaving it blank would help nobody.
BEGIN: dict[str, Any] = {
    "wait_for.for": {"days": 1},
    "wait_event.for": {"days": 2},
    "wait_until.at": "09:00",
    "wait_local.at": "09:00",
    "date.at": "09:00",
    "schedule.at": "09:00",
    "schedule.every": "week",
    "split_score.at_least": 0.5,
    "attribute.value": True,
}


def kinds() -> dict[str, dict[str, Any]]:
    """Every kind of step as the script needs it to draw it, to make one, and to show its form."""
    return {kind.key: _kind(kind) for kind in KINDS.values()}


def _kind(kind: Kind) -> dict[str, Any]:
    look = words.LOOKS.get(kind.key) or words.Look(_("Message"), "", "send", "k1", "message")
    return {
        "group": kind.group,
        "groupName": str(words.GROUP_NAMES[kind.group]),
        "label": str(look.label),
        "icon": look.icon,
        "hue": look.hue,
        "shape": look.shape,
        "leads": kind.leads,
        "branches": list(kind.branches),
        "optional": list(kind.optional),
        "fields": [_field(kind, field) for field in kind.fields],
        "branch_fields": [_field(kind, field) for field in kind.branch_fields],
        "hint": str(words.HINTS.get(kind.key, "")),
        "begin_ways": _begin_ways(kind),
    }


def _field(kind: Kind, field: Field) -> dict[str, Any]:
    """A setting; `begin` is there where a new step has a value of its own for it."""
    name = f"{kind.key}.{field.key}"
    said = {
        "key": field.key,
        "type": field.type,
        "required": field.required,
        "default": list(field.default) if isinstance(field.default, tuple) else field.default,
        "one_of": field.one_of,
        "label": str(words.FIELDS.get(name) or words.FIELDS[field.key]),
        "hint": str(words.HINTS.get(name) or words.HINTS.get(field.key) or ""),
        "choices": [(key, str(words.CHOICES.get(key, key))) for key in field.choices],
    }
    if name in BEGIN:
        said["begin"] = BEGIN[name]
    return said


def _begin_ways(kind: Kind) -> list[dict[str, Any]]:
    if kind.leads != OWN:
        return []
    first, second = _("Way A"), _("Way B")
    if kind.key == "split_many":
        second = _("Everyone else")
    ways: list[dict[str, Any]] = [{"key": "a", "label": first}, {"key": "b", "label": second}]
    if any(field.key == "percent" for field in kind.branch_fields):
        for way in ways:
            way["percent"] = 50
    return ways


def menu() -> list[dict[str, Any]]:
    """The menu of what may be added: groups of entries; messages name their channel."""
    return [
        {
            "key": key,
            "label": label,
            "entries": [
                {
                    "kind": "send" if key == "message" else name,
                    "channel": name if key == "message" else "",
                    "look": look,
                }
                for name, look in looks.items()
            ],
        }
        for key, label, looks in words.GROUPS
    ]


def options(*, journey: Journey | None) -> dict[str, Any]:
    """What settings may name: segments, contents, lists, journeys, predictions, events."""
    live = Segment.objects.filter(state=Segment.State.LIVE).order_by("name")
    contents = Template.objects.order_by("name")[:MOST]
    others = Journey.objects.exclude(pk=journey.pk if journey else 0).order_by("name")
    return {
        "segment": list(live.values("id", "name")[:MOST]),
        "template": [
            {"id": one.pk, "name": one.name, "kind": one.kind, "about": one.subject}
            for one in contents
        ],
        "list": palette.lists(),
        "journey": list(others.values("id", "name")[:MOST]),
        "prediction": palette.predictions(),
        "event": palette.events(),
        "attribute": [name for name, _about in palette.suggestions()["attributes"]],
        "channel": list(Channel.objects.filter(enabled=True).values("id", "name", "kind")[:MOST]),
        "newSegment": reverse("campaigns:segment-new"),
        "newTemplate": reverse("campaigns:template-new"),
    }


def said() -> dict[str, dict[str, str]]:
    """The words of the script, in the reader's language."""
    return {
        "words": _plain(words.SCRIPT),
        "branches": _plain(words.BRANCHES),
        "units": _plain(words.UNITS),
        "weekdays": _plain(words.WEEKDAYS),
        "channels": {key: str(look.label) for key, look in words.MESSAGES.items()},
        "channelIcons": {key: look.icon for key, look in words.MESSAGES.items()},
        "channelHues": {key: look.hue for key, look in words.MESSAGES.items()},
        "triggers": {key: str(look.label) for key, look in words.TRIGGERS.items()},
    }


def _plain(said: words.Words) -> dict[str, str]:
    return {key: str(word) for key, word in said.items()}
