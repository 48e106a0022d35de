"""What people are asked for: the purposes, the words in which they are asked, and who agreed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from ingestion.models import ConsentText, Purpose
from ingestion.privacy.preferences import BUILT_IN
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User
from marketing.core.wording import in_words

Actor = User | ApiKey | None
TEXT_LIMIT = 4_000
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})?")


@dataclass(frozen=True)
class Line:
    """One purpose with its answers by channel and its newest words by language."""

    slug: str
    name: Any
    description: Any
    built_in: bool
    answers: dict[str, tuple[int, int]]
    texts: Sequence[ConsentText]


def overview() -> list[Line]:
    """Every purpose with how many said yes and no to it, per channel."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT purpose, channel, count(*) FILTER (WHERE granted"
            "   AND (expires_at IS NULL OR expires_at > now())),"
            " count(*) FILTER (WHERE NOT granted)"
            " FROM ingestion_consent a JOIN ingestion_customer c ON c.id = a.customer_id"
            " WHERE current AND c.merged_into_id IS NULL GROUP BY 1, 2 ORDER BY 2"
        )
        answers: dict[str, dict[str, tuple[int, int]]] = {}
        for purpose, channel, yes, no in cursor.fetchall():
            answers.setdefault(purpose, {})[channel] = (yes, no)
    newest: dict[str, dict[str, ConsentText]] = {}
    for text in ConsentText.objects.order_by("version"):
        newest.setdefault(text.purpose, {})[text.language] = text
    lines = [
        Line(slug, name, about, True, answers.get(slug, {}), _sorted(newest.get(slug, {})))
        for slug, (name, about) in BUILT_IN.items()
    ]
    lines += [
        Line(
            own.slug,
            in_words(own.name),
            in_words(own.description),
            False,
            answers.get(own.slug, {}),
            _sorted(newest.get(own.slug, {})),
        )
        for own in Purpose.objects.filter(archived=False)
    ]
    return lines


def _sorted(texts: dict[str, ConsentText]) -> list[ConsentText]:
    return [texts[language] for language in sorted(texts)]


def add(*, name: str, description: str, actor: Actor, now: datetime) -> Purpose:
    """A new purpose; its short name for files and the API is made from its name."""
    name = " ".join(name.split())[:80]
    slug = slugify(name)[:20].strip("-") or f"purpose-{Purpose.objects.count() + 1}"
    if not name:
        raise Invalid(_("Give the purpose a name."), code="name_missing", field="name")
    try:
        with transaction.atomic():
            if slug in BUILT_IN:
                raise IntegrityError
            made = Purpose.objects.create(
                slug=slug, name=name, description=description.strip()[:300], created_at=now
            )
            audit.record(actor=actor, action="purpose.added", obj=made)
    except IntegrityError:
        raise Conflict(
            _("There is a purpose of this name already."), code="purpose_exists", field="name"
        ) from None
    return made


def archive(*, slug: str, actor: Actor) -> None:
    """Ask nobody for this purpose any more. The answers stay as proof."""
    if not Purpose.objects.filter(slug=slug, archived=False).update(archived=True):
        raise NotFound(_("There is no such purpose."), code="unknown_purpose")
    audit.record(actor=actor, action="purpose.archived", detail={"purpose": slug})


def write(
    *, purpose: str, language: str, text: str, user: User | None, now: datetime
) -> ConsentText:
    """New words for a purpose: a version of their own, as people agreed to the old ones."""
    text = text.strip()
    if not text or len(text) > TEXT_LIMIT:
        raise Invalid(
            _("Write what people agree to, in at most %(n)d characters.") % {"n": TEXT_LIMIT},
            code="bad_text",
            field="text",
        )
    if not _LANGUAGE.fullmatch(language):
        raise Invalid(
            _("A language is written as en or zh-hans."), code="bad_language", field="language"
        )
    if purpose not in BUILT_IN and not Purpose.objects.filter(slug=purpose).exists():
        raise Invalid(_("There is no such purpose."), code="unknown_purpose", field="purpose")
    with transaction.atomic():
        texts = ConsentText.objects.select_for_update().filter(purpose=purpose, language=language)
        last = max(texts, key=lambda row: row.version, default=None)
        if last is not None and last.text == text:
            return last
        made = ConsentText.objects.create(
            purpose=purpose,
            language=language,
            version=(last.version if last else 0) + 1,
            text=text,
            created_by=user,
            created_at=now,
        )
        audit.record(actor=user, action="consent_text.written", obj=made)
    return made
