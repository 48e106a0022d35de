"""Saved blocks that stand in mails by reference: found, held still, and put in their place."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from campaigns.content.kinds import SAVED
from campaigns.messaging.languages import chosen
from campaigns.models import SavedBlock, Template
from marketing.core.errors import Invalid
from recommendations.offers import keeping

# Mails of blocks name a saved block by its number, those written in MJML or HTML by its key.
_INCLUDED = r"""\{%[-+]?\s*include\s+["']"""
_COUNTS = """
    SELECT stands.block, count(DISTINCT stands.mail)
    FROM (
        SELECT (found ->> 'saved')::bigint AS block, mail.id AS mail
        FROM campaigns_template AS mail, LATERAL (
            SELECT jsonb_path_query(mail.blocks, '$[*] ? (@.kind == "saved")') AS found
            UNION ALL
            SELECT jsonb_path_query(mail.languages, '$.*.blocks[*] ? (@.kind == "saved")')
        ) AS saved
        WHERE mail.kind = 'email'
        UNION ALL
        SELECT block.id, mail.id
        FROM campaigns_template AS mail
        CROSS JOIN LATERAL (
            SELECT mail.mjml AS source
            UNION ALL SELECT other.value ->> 'mjml' FROM jsonb_each(mail.languages) AS other
        ) AS written
        CROSS JOIN LATERAL regexp_matches(
            written.source, %s || '([^"'']+)["'']', 'g') AS named
        JOIN campaigns_savedblock AS block ON block.key = named[1]
        WHERE mail.kind = 'email' AND written.source LIKE '%%include%%'
    ) AS stands
    GROUP BY 1"""
_STANDS = """
    jsonb_path_exists(campaigns_template.blocks, %s::jsonpath)
    OR jsonb_path_exists(campaigns_template.languages, %s::jsonpath)
    OR EXISTS (
        SELECT FROM campaigns_savedblock AS block, LATERAL (
            SELECT campaigns_template.mjml AS source
            UNION ALL
            SELECT other.value ->> 'mjml' FROM jsonb_each(campaigns_template.languages) AS other
        ) AS written
        WHERE block.id = %s AND written.source ~ (%s || block.key || '["'']'))"""


def named_in(blocks: Iterable[object]) -> set[int]:
    """The numbers of the saved blocks that stand among blocks, whether these were read or not."""
    found = set()
    for block in blocks:
        if isinstance(block, Mapping) and block.get("kind") == SAVED:
            number = str(block.get(SAVED, ""))
            if number.isascii() and number.isdigit() and len(number) < 19:
                found.add(int(number))
    return found


def mind_plans(blocks: Sequence[Mapping[str, Any]]) -> None:
    """Refuse blocks of offers whose plan is gone."""
    named = [(place, block["plan"]) for place, block in enumerate(blocks, 1) if block.get("plan")]
    there = keeping.titles() if named else {}
    for place, key in named:
        if key not in there:
            raise Invalid(
                _("Block %(n)d: the plan of offers “%(key)s” is gone.") % {"n": place, "key": key},
                code="bad_template",
                field="blocks",
                remedy=_("Choose another plan, or the newest one."),
            )


def hold(
    blocks: Iterable[object],
    languages: Mapping[str, Any] | None = None,
    *,
    keys: Iterable[str] = (),
) -> None:
    """Keep the saved blocks of a mail as they are until the transaction ends.

    `keys` are those that its source includes.

    Whoever changes a saved block writes the mails with it anew, so it is locked before any mail.
    """
    others = [said.get("blocks") or () for said in (languages or {}).values()]
    numbers, keys = named_in(blocks).union(*map(named_in, others)), set(keys)
    if numbers or keys:
        rows = SavedBlock.objects.select_for_update().filter(Q(pk__in=numbers) | Q(key__in=keys))
        list(rows.order_by("pk").values_list("pk"))


def resolved(blocks: Sequence[Mapping[str, Any]], *, language: str = "") -> list[Mapping[str, Any]]:
    """The blocks with what each saved one holds in its place, in a language or its nearest."""
    rows = SavedBlock.objects.in_bulk(named_in(blocks)) if named_in(blocks) else {}
    made: list[Mapping[str, Any]] = []
    for place, block in enumerate(blocks, 1):
        if block["kind"] != SAVED:
            made.append(block)
            continue
        saved = rows.get(block[SAVED])
        if saved is None:
            raise Invalid(
                _("Block %(n)d: the saved block that stood here is gone.") % {"n": place},
                code="bad_template",
                field="blocks",
                remedy=_("Choose another one, or take it away."),
            )
        # They are one block of this mail: whoever points at one of them means all.
        made.extend({**inner, "id": block["id"]} for inner in said(saved, language))
    return made


def said(saved: SavedBlock, language: str) -> list[dict[str, Any]]:
    """What a saved block says to readers of a language."""
    code = chosen(saved.languages, language)
    found: list[dict[str, Any]] = saved.languages[code] if code else saved.blocks
    return found


def mails_with(block_id: int) -> QuerySet[Template]:
    """The mails in which a saved block stands, in any language."""
    stands = f'(@.kind == "saved" && @.saved == {int(block_id)})'
    return Template.objects.filter(kind="email").extra(
        where=[_STANDS],
        params=[f"$[*] ? {stands}", f"$.*.blocks[*] ? {stands}", int(block_id), _INCLUDED],
    )


def counts() -> dict[int, int]:
    """In how many mails each saved block stands, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [_INCLUDED])
        return dict(cursor.fetchall())
