"""Saved blocks: kept once, used in many mails, changed in all of them at once.

What was launched keeps what it said. A mail that would no longer work keeps the block from being
saved, so that nobody finds out when it is sent.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _

from campaigns.content import blocks as forms
from campaigns.content import history, inclusions, references, saving, translations
from campaigns.models import SavedBlock, Template
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User

Actor = User | ApiKey | None
MOST_INSIDE = 12
_KEY = re.compile(r"[\w-]{1,60}")


def listed() -> QuerySet[SavedBlock]:
    """All of them, by name."""
    return SavedBlock.objects.order_by("name", "pk")


def written(raw: object) -> list[dict[str, Any]]:
    """Blocks as a saved one holds them; Invalid with the block at fault."""
    kept = _read(raw)
    _compiled(kept)
    return kept


def made(raw: object) -> dict[str, str]:
    """What blocks become alone, to be looked at; Invalid with the block at fault."""
    html, text = _compiled(_read(raw))
    return {"subject": "-", "preheader": "", "html": html, "text": text}


def _read(raw: object) -> list[dict[str, Any]]:
    kept = forms.read(raw)
    references.mind_plans(kept)
    if not kept:
        raise _refuse(_("Add a block first."))
    if len(kept) > MOST_INSIDE:
        raise _refuse(_("At most %(n)d blocks are saved as one.") % {"n": MOST_INSIDE})
    if any(block["kind"] == forms.SAVED for block in kept):
        raise _refuse(_("A saved block cannot hold another one."))
    return kept


def _compiled(kept: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    source = forms.compile_blocks(kept)
    if inclusions.stand_in(source):
        raise _refuse(_("A saved block cannot hold another one."))
    try:
        return saving.body(mjml=source)
    except Invalid as refusal:
        raise _refuse(refusal.message, refusal.remedy) from None


def _refuse(why: str, remedy: str | None = None) -> Invalid:
    return Invalid(why, code="bad_block", field="blocks", remedy=remedy)


def save(
    *,
    block_id: int | None = None,
    name: str,
    blocks: object,
    language: str = "",
    key: str = "",
    version: int | None = None,
    user: Actor,
    now: datetime,
) -> SavedBlock:
    """Keep blocks under a name, or change what they say, in one more language too.

    Every mail with them follows in the same moment, as a new version of its own. `key` is how MJML
    and HTML name a new one, made of the name where it is left out; it stays for good. `version` is
    the one that was changed: Conflict when there is a newer one.
    """
    name = " ".join(name.split())[:120]
    if not name:
        raise Invalid(_("Give the block a name."), code="bad_block", field="name")
    kept = written(blocks)
    author = user if isinstance(user, User) else None
    with transaction.atomic():
        if block_id:
            row = _locked(block_id)
            _refuse_older(row, version)
        else:
            row = SavedBlock(key=_free_key(key, name), created_at=now, created_by=author)
        if language:
            code = translations.checked(language)
            if code not in row.languages and len(row.languages) >= translations.MOST:
                raise _refuse(
                    _("A message has at most %(n)d languages.") % {"n": translations.MOST}
                )
            row.languages = {**row.languages, code: kept}
        else:
            row.name, row.blocks = name, kept
        _store(row, user=user, now=now)
    return row


def _refuse_older(row: SavedBlock, version: int | None) -> None:
    if version is not None and version != row.version:
        raise Conflict(
            _("Somebody saved version %(n)d meanwhile. Nothing was changed.") % {"n": row.version},
            code="block_changed",
            remedy=_("Read it again and change that."),
        )


def _free_key(wanted: str, name: str) -> str:
    """A key that no other block has. One that was asked for and is taken is refused."""
    if wanted and not _KEY.fullmatch(wanted):
        raise Invalid(
            _("A key is made of up to 60 letters, digits, _ and -."), code="bad_key", field="key"
        )
    with connection.cursor() as cursor:  # two who begin the same key wait for each other
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('campaigns.saved_block.key'))")
    base = wanted or slugify(name, allow_unicode=True)[:50].strip("-_") or "block"
    taken = set(SavedBlock.objects.filter(key__startswith=base).values_list("key", flat=True))
    if wanted and wanted in taken:
        raise Invalid(_("Another saved block has this key."), code="key_taken", field="key")
    key, number = base, 1
    while key in taken:
        number += 1
        key = f"{base}-{number}"
    return key


def _locked(block_id: int) -> SavedBlock:
    row = SavedBlock.objects.select_for_update().filter(pk=block_id).first()
    if row is None:
        raise NotFound(_("There is no such block."), code="block_unknown")
    return row


def _store(row: SavedBlock, *, user: Actor, now: datetime, restored: int | None = None) -> None:
    row.version += 1
    row.updated_at = now
    row.save()
    said = {"name": row.name, "blocks": row.blocks, "languages": row.languages}
    history.keep(row, said, restored=restored, user=user, now=now)
    audit.record(actor=user, action="block.saved", obj=row, detail={"version": row.version})
    for pk in references.mails_with(row.pk).order_by("pk").values_list("pk", flat=True):
        _follow(saving.locked(pk), row, user, now)


def _stands(block: SavedBlock, said: Mapping[str, Any]) -> bool:
    """Whether a mail, in one language, holds a block by its number or by its key."""
    by_number = block.pk in references.named_in(said.get("blocks") or ())
    return by_number or block.key in inclusions.keys([said.get("mjml") or ""])


def _follow(mail: Template, block: SavedBlock, user: Actor, now: datetime) -> None:
    """Write a mail anew with what the block says now."""
    try:
        if _stands(block, vars(mail)):
            remade = saving.mail(
                subject=mail.subject,
                preheader=mail.preheader,
                blocks=mail.blocks,
                mjml=mail.mjml,
                written_in=mail.written_in,
            )
            for field, value in remade.items():
                setattr(mail, field, value)
        others = {code: said for code, said in mail.languages.items() if _stands(block, said)}
        mail.languages = {**mail.languages, **translations.built(others)}
    except Invalid as refusal:
        raise Invalid(
            _("The mail %(name)s would no longer work: %(why)s Nothing was changed.")
            % {"name": mail.name, "why": refusal.message},
            code="mail_would_break",
            field="blocks",
            remedy=refusal.remedy,
        ) from None
    saving.store(mail, user=user, now=now, because=block.name)


def restore(*, block_id: int, number: int, user: Actor, now: datetime) -> SavedBlock:
    """Bring back what a version said, as a new version, in every mail with it."""
    with transaction.atomic():
        row = _locked(block_id)
        said = history.former(row, number)
        row.name, row.blocks = said["name"], written(said["blocks"])
        row.languages = {code: written(other) for code, other in said["languages"].items()}
        _store(row, user=user, now=now, restored=number)
    return row


def unlanguage(*, block_id: int, language: str, user: Actor, now: datetime) -> SavedBlock:
    """Take a language away; mails in it get the block as it was first written."""
    with transaction.atomic():
        row = _locked(block_id)
        if language not in row.languages:
            raise NotFound(_("It is not written in this language."), code="language_unknown")
        row.languages = {code: said for code, said in row.languages.items() if code != language}
        _store(row, user=user, now=now)
    return row


def delete(*, block_id: int, user: Actor) -> None:
    """Remove a saved block that stands in no mail."""
    with transaction.atomic():
        row = _locked(block_id)
        names = list(references.mails_with(row.pk).order_by("name").values_list("name", flat=True))
        if names:
            raise Conflict(
                _("It stands in these mails, so it was kept: %(names)s.")
                % {"names": ", ".join(names[:20]) + (" …" if len(names) > 20 else "")},
                code="block_in_use",
                remedy=_("Take it out of them first."),
            )
        audit.record(actor=user, action="block.deleted", obj=row)
        row.delete()


def readable(said: Mapping[str, Any]) -> dict[str, Any]:
    """A version as it is compared with another: its name, and each of its settings."""
    return {
        "name": said["name"],
        "mjml": _lines(said["blocks"]),
        "languages": {code: {"mjml": _lines(other)} for code, other in said["languages"].items()},
    }


def _lines(kept: Sequence[Mapping[str, Any]]) -> str:
    """One line a setting, so that a change is found at a glance."""
    return "\n".join(
        f"{block['kind']}.{name}: {value}"
        for block in kept
        for name, value in block.items()
        if name not in ("id", "kind")
    )
