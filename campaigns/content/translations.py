"""The same message in other languages: each has its own words, the person's language chooses."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import get_language_info
from django.utils.translation import gettext as _

from campaigns.content import inclusions, references, saving
from campaigns.models import Template
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

MOST = 20
_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")


def name_of(code: str) -> str:
    """A language as people call it; its code where nobody says."""
    try:
        info = get_language_info(code)
    except KeyError:
        return code
    return str(info["name_translated"])


def checked(code: str) -> str:
    """The code of a language as it is kept; Invalid when it is none."""
    made = code.strip().lower().replace("_", "-")
    if not _CODE.fullmatch(made):
        raise Invalid(
            _("Name the language by its code, such as de or zh-hans."),
            code="bad_language",
            field="language",
        )
    return made


def built(written: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Languages as a template keeps them, from what an author wrote in each."""
    made: dict[str, dict[str, Any]] = {}
    for code, said in written.items():
        made[checked(code)] = _built(code, said)
    return made


def _built(code: str, said: Mapping[str, Any]) -> dict[str, Any]:
    try:
        written_in = said.get("written_in") or saving.MJML
        return {
            "written_in": written_in,
            **saving.mail(
                subject=said.get("subject", ""),
                preheader=said.get("preheader", ""),
                mjml=said.get("mjml", ""),
                blocks=said.get("blocks"),
                written_in=written_in,
                language=code,
            ),
        }
    except Invalid as refusal:
        raise Invalid(
            f"{name_of(code)}: {refusal.message}",
            code=refusal.code,
            field=refusal.field,
            remedy=refusal.remedy,
        ) from None


def save(
    *,
    template_id: int,
    language: str,
    subject: str = "",
    preheader: str = "",
    mjml: str = "",
    blocks: Sequence[Any] | None = None,
    written_in: str = "mjml",
    user: User | ApiKey | None,
    now: datetime,
) -> Template:
    """Write a template's message in one more language, or change it there. A new version."""
    code = checked(language)
    with transaction.atomic():
        references.hold(blocks or (), keys=inclusions.keys([mjml]))
        template = saving.locked(template_id)
        if code not in template.languages and len(template.languages) >= MOST:
            raise Invalid(
                _("A message has at most %(n)d languages.") % {"n": MOST},
                code="too_many",
                field="language",
            )
        wrote = {
            "subject": subject,
            "preheader": preheader,
            "mjml": mjml,
            "blocks": blocks,
            "written_in": written_in,
        }
        template.languages = {**template.languages, code: _built(code, wrote)}
        saving.store(template, user=user, now=now)
    return template


def remove(
    *, template_id: int, language: str, user: User | ApiKey | None, now: datetime
) -> Template:
    """Take a language away; its readers get the message as it was first written."""
    with transaction.atomic():
        template = saving.locked(template_id)
        if language not in template.languages:
            raise NotFound(_("It is not written in this language."), code="language_unknown")
        template.languages = {
            code: said for code, said in template.languages.items() if code != language
        }
        saving.store(template, user=user, now=now)
    return template
