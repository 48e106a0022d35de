"""What a template or a saved block said before, and where a template is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.models import (
    Campaign,
    Channel,
    Journey,
    JourneyVersion,
    SavedBlock,
    SavedBlockVersion,
    Template,
    TemplateVersion,
)
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

# What an author wrote; HTML and text are made of it again.
SAID = ("name", "written_in", "subject", "preheader", "blocks", "mjml", "languages")
_MADE = ("html", "text")


@dataclass(frozen=True)
class Place:
    """A campaign or a journey that sends a template."""

    kind: str
    name: str
    url: str
    state: str
    word: str


def said_by(template: Template) -> dict[str, Any]:
    """What a version keeps of a template."""
    if template.kind != Channel.Kind.EMAIL:
        return {"name": template.name, "parts": template.parts}
    said = {name: getattr(template, name) for name in SAID}
    said["languages"] = {
        language: {name: value for name, value in other.items() if name not in _MADE}
        for language, other in template.languages.items()
    }
    return said


def keep_first(template: Template) -> None:
    """A template from before versions were kept gets a row of what it says now."""
    TemplateVersion.objects.get_or_create(
        template=template,
        number=template.version,
        defaults={"said": said_by(template), "saved_at": template.updated_at},
    )


def keep(
    row: Template | SavedBlock,
    said: dict[str, Any],
    *,
    restored: int | None,
    user: User | ApiKey | None,
    now: datetime,
) -> None:
    """Write down what a row says from now on, under its new number."""
    row.versions.create(
        number=row.version,
        said=said,
        restored=restored,
        saved_by=user if isinstance(user, User) else None,
        saved_at=now,
    )


def of(row: Template | SavedBlock) -> Sequence[TemplateVersion | SavedBlockVersion]:
    """Its versions, the newest first."""
    return list(row.versions.select_related("saved_by").order_by("-number")[:100])


def former(row: Template | SavedBlock, number: int) -> dict[str, Any]:
    """What a version said that is to be brought back."""
    if number == row.version:
        raise Invalid(_("This is what it says now. Nothing was changed."), code="same_version")
    found = row.versions.filter(number=number).first()
    if found is None:
        raise NotFound(_("There is no such version."), code="version_unknown")
    said: dict[str, Any] = found.said
    return said


def journeys_with(template_id: int) -> Sequence[Journey]:
    """Journeys whose drawing, or a version people still walk, sends this template."""
    path = f"$.nodes.*.template ? (@ == {int(template_id)})"
    walked = JourneyVersion.objects.exclude(state=JourneyVersion.State.CLOSED).extra(
        where=["jsonb_path_exists(definition, %s::jsonpath)"], params=[path]
    )
    drawn = Journey.objects.extra(where=["jsonb_path_exists(draft, %s::jsonpath)"], params=[path])
    found = {journey.pk for journey in drawn} | {version.journey_id for version in walked}
    return list(Journey.objects.filter(pk__in=found).order_by("name")) if found else []


def used(template: Template) -> list[Place]:
    """Where it is used: campaigns, as their mail or a variant of it, and journeys."""
    mails = Q(template=template) | Q(variants__template=template)
    campaigns = Campaign.objects.filter(mails).distinct().order_by("-id")[:50]
    return [
        *(
            Place(
                "campaign",
                row.name,
                reverse("campaigns:campaign-detail", args=[row.pk]),
                row.state,
                str(row.get_state_display()),
            )
            for row in campaigns
        ),
        *(
            Place(
                "journey",
                row.name,
                reverse("campaigns:journey-edit", args=[row.pk]),
                row.state,
                str(row.get_state_display()),
            )
            for row in journeys_with(template.pk)
        ),
    ]
