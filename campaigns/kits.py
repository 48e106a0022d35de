"""A ready journey with all that it needs, made as drafts: its mails, its segment, the drawing."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation

from campaigns.content import blocks, saving, translations
from campaigns.journeys import letters, starters, versions
from campaigns.journeys.recipes import Starter
from campaigns.models import Journey, Segment, Template
from campaigns.segments import definitions
from marketing.core import brand
from marketing.core.models import User

LANGUAGES = ("en", "zh-hans")


@dataclass(frozen=True)
class Made:
    """What was made. `segment` is None where the journey needs none."""

    journey: Journey
    mails: list[Template]
    segment: Segment | None


def make(*, starter: Starter, user: User | None, now: datetime) -> Made:
    """Draw a ready journey with its own mails and segment. Nothing goes live and nothing is sent.

    What is there already, unchanged, is used again.
    """
    with transaction.atomic():
        segment = _segment(starter, user, now)
        mails = _mails(starter, user, now)
        journey = versions.create(
            name=starter.name,
            definition=_filled(starter.definition, mails, segment, user),
            origin=starter.key,
            user=user,
            now=now,
        )
    return Made(journey, list(mails.values()), segment)


def _segment(starter: Starter, user: User | None, now: datetime) -> Segment | None:
    if starter.segment is None:
        return None
    found = starters.wanted_segment(starter)
    return found or definitions.save(
        name=starter.segment_name or starter.name, rule=starter.segment, actor=user, now=now
    )


def _mails(starter: Starter, user: User | None, now: datetime) -> dict[str, Template]:
    """The mails by step: in the language of whoever makes them, and in the others we write."""
    mine = next(
        (one for one in LANGUAGES if (translation.get_language() or "").startswith(one)), ""
    )
    written = letters.of(starter.key)
    others = {}
    for code in LANGUAGES:
        if code != (mine or LANGUAGES[0]):
            with translation.override(code):
                others[code] = letters.of(starter.key)
    return {
        step: _mail(
            starter, step, letter, {code: all_[step] for code, all_ in others.items()}, user, now
        )
        for step, letter in written.items()
    }


def _mail(
    starter: Starter,
    step: str,
    letter: letters.Letter,
    others: Mapping[str, letters.Letter],
    user: User | None,
    now: datetime,
) -> Template:
    label = starter.definition["nodes"][step].get("label") or letter.subject
    name = f"{starter.name}: {label}"[:120]
    kept = blocks.read(letter.blocks())
    found = Template.objects.filter(name=name, kind="email", subject=letter.subject).first()
    if found is not None and found.blocks == kept:
        return found
    languages = {}
    for code, other in others.items():
        if other != letter:
            with translation.override(code):  # the footer speaks it, too
                languages[code] = _written(other)
    return saving.save(
        name=name,
        **_written(letter),
        languages=translations.built(languages),
        user=user,
        now=now,
    )


def _written(letter: letters.Letter) -> dict[str, Any]:
    return {
        "subject": letter.subject,
        "preheader": letter.preheader,
        "written_in": saving.BLOCKS,
        "blocks": blocks.read(letter.blocks()),
    }


def _filled(
    definition: Mapping[str, Any],
    mails: Mapping[str, Template],
    segment: Segment | None,
    user: User | None,
) -> dict[str, Any]:
    """The drawing with what it left open said."""
    drawn = copy.deepcopy(dict(definition))
    for step, node in drawn["nodes"].items():
        if node["kind"] == "send" and step in mails:
            node["template"] = mails[step].pk
        if "segment" in node and node["segment"] is None and segment is not None:
            node["segment"] = segment.pk
        if node["kind"] == "notify" and not node.get("to"):
            node["to"] = (user.email if user else "") or brand.now().sender_email
    for sign in drawn.get("exits", []):
        if "segment" in sign and sign["segment"] is None and segment is not None:
            sign["segment"] = segment.pk
    return drawn
