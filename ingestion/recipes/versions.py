"""Recipes by version: find the one that counts, save a new one, say what is different."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import schemas
from ingestion.models import ImportJob, Recipe, RecipeVersion, Source
from ingestion.preprocess.recipe import nodes, parsing, supply
from ingestion.recipes import wording
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import User


def parse(body: Any) -> nodes.Recipe:
    """The recipe that this JSON describes. Refused with the path of the fault."""
    try:
        return parsing.parse(body)
    except parsing.Faulty as faulty:
        message, remedy = wording.fault(faulty.code, faulty.path, faulty.facts)
        raise Invalid(
            _("%(path)s: %(message)s Nothing was saved.")
            % {"path": faulty.path or "recipe", "message": message},
            code=faulty.code,
            field=faulty.path,
            remedy=remedy,
        ) from None


def current(*, source: Source, kind: str) -> RecipeVersion | None:
    """The version that new imports of this kind use; None when there is no recipe."""
    return (
        RecipeVersion.objects.select_related("recipe")
        .filter(recipe__source=source, recipe__kind=kind)
        .order_by("-number")
        .first()
    )


def filled(
    *, source: Source | None, kind: str, mapping: Mapping[str, int], header: Sequence[str]
) -> frozenset[str]:
    """The fields that the recipe of a source fills although no column is mapped to them."""
    recipe = nodes.Recipe()
    if source is not None:
        recipe = recipe_of(current(source=source, kind=kind))
    named = supply.with_named(recipe, mapping, header)
    return supply.filled(recipe, named).difference(mapping)


def recipe_of(version: RecipeVersion | None) -> nodes.Recipe:
    """The rules of a version; no version has none."""
    return nodes.Recipe() if version is None else parsing.parse(version.body)


def history(*, source: Source, kind: str) -> list[RecipeVersion]:
    """All versions, newest first."""
    rows = RecipeVersion.objects.select_related("made_by", "recipe")
    return list(rows.filter(recipe__source=source, recipe__kind=kind)[:50])


def save(
    *,
    source: Source,
    kind: str,
    body: Mapping[str, Any],
    based_on: int | None = None,
    user: User | None,
    now: datetime,
) -> RecipeVersion:
    """Save as a new version. `based_on`: the number that was edited; refused if it is not the last.

    A recipe that says what the last one says makes no version.
    """
    if kind not in schemas.KINDS:
        raise Invalid(_("There is no import of this kind."), code="unknown_kind", field="kind")
    recipe = parse(body)
    made = nodes.to_json(recipe)
    with transaction.atomic():
        row, _made = Recipe.objects.get_or_create(source=source, kind=kind)
        row = Recipe.objects.select_for_update().get(pk=row.pk)
        if based_on is not None and based_on != row.current:
            raise Conflict(
                _("Somebody saved version %(n)d in the meantime. Nothing was saved.")
                % {"n": row.current},
                code="recipe_changed",
                remedy=_("Open the recipe again and repeat your change."),
            )
        last = current(source=source, kind=kind)
        if last is not None and last.body == made:
            return last
        row.current += 1
        row.save(update_fields=["current"])
        version = RecipeVersion.objects.create(
            recipe=row, number=row.current, body=made, made_by=user, made_at=now
        )
        audit.record(
            actor=user,
            action="recipe.saved",
            obj=row,
            detail={"source": source.name, "kind": kind, "version": row.current},
        )
    return version


def differences(before: nodes.Recipe, after: nodes.Recipe) -> list[str]:
    """What changed from one to the other, in words."""
    old = {rule.id: (place, rule) for place, rule in enumerate(before.rules)}
    new = {rule.id: (place, rule) for place, rule in enumerate(after.rules)}
    told = []
    for id_, (_place, rule) in new.items():
        name = wording.title(nodes.NAMES[type(rule)])
        said = {"rule": name, "what": wording.sentence(rule)}
        if id_ not in old or type(old[id_][1]) is not type(rule):
            told.append(_("Added “%(rule)s”: %(what)s") % said)
            continue
        earlier = old[id_][1]
        if earlier.on != rule.on:
            told.append(
                (_("Switched on “%(rule)s”") if rule.on else _("Switched off “%(rule)s”")) % said
            )
        changed = [
            wording.setting(part)
            for part in nodes.parts_of(type(rule))
            if getattr(earlier, part) != getattr(rule, part)
        ]
        if changed:
            said |= {"settings": ", ".join(changed).lower()}
            told.append(_("Changed “%(rule)s” (%(settings)s): %(what)s") % said)
    for id_, (_place, rule) in old.items():
        if id_ not in new or type(new[id_][1]) is not type(rule):
            name = wording.title(nodes.NAMES[type(rule)])
            told.append(
                _("Removed “%(rule)s”: %(what)s") % {"rule": name, "what": wording.sentence(rule)}
            )
    kept_old = [id_ for id_ in old if id_ in new]
    kept_new = [id_ for id_ in new if id_ in old]
    if kept_old != kept_new:
        told.append(_("Changed the order of the rules"))
    return told


def latest_import(*, source: Source, kind: str) -> ImportJob | None:
    """The newest file of this kind whose raw rows are still kept."""
    return (
        ImportJob.objects.filter(source=source, kind=kind)
        .exclude(path="")
        .exclude(mapping={})
        .order_by("-id")
        .first()
    )
