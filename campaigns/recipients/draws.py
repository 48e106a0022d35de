"""How chance parts an audience: who is kept back, and who gets which variant when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from campaigns import experiments
from campaigns.models import Campaign, GlobalHoldout, Template, Trial, Variant
from campaigns.recipients import routes

_PAIRS = ("variants", "routes")


@dataclass(frozen=True)
class Draw:
    """How chance parts an audience: who is kept back, and who gets which variant when.

    `slot` 0 goes out at once and by the weights; the others wait for their round, with the variant
    of their own hash until then, so that nobody is lost where a round never comes. `routes` are the
    channels of the variants where there are several.
    """

    key: str
    holdout: float = 0
    kept_key: str = ""
    kept: float = 0
    variants: Sequence[tuple[str, float]] = (("a", 1),)
    first: float = 1.0
    rounds: int = 0
    routes: Sequence[tuple[str, str]] = ()

    def as_json(self) -> dict[str, Any]:
        pairs = {name: [list(pair) for pair in getattr(self, name)] for name in _PAIRS}
        return {**asdict(self), **pairs}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Draw":
        pairs = {name: tuple((k, w) for k, w in kept.get(name) or ()) for name in _PAIRS}
        return cls(**{**kept, **pairs})


def draw_of(campaign: Campaign | None, *, holdout: float | None = None) -> Draw:
    """The draw of a campaign as it would be made now; of None, that of a new one."""
    kept = GlobalHoldout.objects.filter(ended_at=None).first()
    held = campaign.holdout_percent if campaign and holdout is None else holdout
    draw = Draw(
        key=holdout_key(campaign) if campaign else "campaign:new",
        holdout=held or 0,
        kept_key=kept_key(kept) if kept else "",
        kept=kept.percent if kept else 0,
    )
    if campaign is None:
        return draw
    rows = _with_mails(campaign)
    if len(rows) < 2:
        return draw
    variants = tuple((row.key, row.weight) for row, _mail in rows)
    draw = replace(draw, variants=variants, routes=_routes(rows))
    trial: Trial | None = getattr(campaign, "trial", None)
    if trial is None or trial.mode == Trial.Mode.FIXED:
        return draw
    rounds = 1 if trial.mode == Trial.Mode.WINNER else trial.rounds
    return replace(draw, first=trial.first_percent / 100, rounds=rounds)


def _with_mails(campaign: Campaign) -> list[tuple[Variant, Template | None]]:
    """Its variants, each with what it says."""
    rows = campaign.variants.all()
    if "variants" not in getattr(campaign, "_prefetched_objects_cache", {}):
        rows = rows.select_related("template")
    return [(row, row.template or campaign.template) for row in rows]


def _routes(rows: Sequence[tuple[Variant, Template | None]]) -> Sequence[tuple[str, str]]:
    return routes.of([(row.key, row.weight, mail.kind) for row, mail in rows if mail is not None])


def routes_of(campaign: Campaign) -> Sequence[tuple[str, str]]:
    """The channels of its variants, where there are several."""
    rows = _with_mails(campaign)
    return _routes(rows) if len(rows) > 1 else ()


def kept_key(holdout: GlobalHoldout) -> str:
    """What the hash of the global hold-out is salted with; the same for every campaign."""
    return f"everybody:{holdout.salt}"


def kept_out(people: Iterable[int]) -> set[int]:
    """Those of these people whom nothing is sent to that they did not ask for."""
    kept = GlobalHoldout.objects.filter(ended_at=None).first()
    if kept is None:
        return set()
    key = kept_key(kept)
    return {
        person
        for person in people
        if experiments.held_out(key=key, unit=person, percent=kept.percent)
    }


def hash_sql(person: str) -> str:
    """SQL of somebody's bucket; takes the key as its parameter."""
    return f"substr(md5(%s || ':' || {person}), 1, 8) COLLATE \"C\""


def variant_sql(
    person: str, *, key: str, shares: Sequence[tuple[str, float]]
) -> tuple[str, list[Any]]:
    """SQL of the variant that somebody's hash gives them."""
    if len(shares) == 1:
        return "%s", [shares[0][0]]
    ceilings = experiments.edges([weight for _name, weight in shares])
    parts, params = [], []
    for (name, _weight), ceiling in zip(shares, ceilings, strict=True):
        parts.append(f"WHEN {hash_sql(person)} < %s THEN %s")
        params += [key, ceiling, name]
    return f"CASE {' '.join(parts)} END", params


def slot_sql(person: str, draw: Draw) -> tuple[str, list[Any]]:
    """SQL of the round that somebody's hash puts them in; 0 goes out at once."""
    if not draw.rounds or draw.first >= 1:
        return "0", []
    each = (1 - draw.first) / draw.rounds
    ceilings = experiments.edges([draw.first, *[each] * draw.rounds])
    parts, params = [], []
    for slot, ceiling in enumerate(ceilings):
        parts.append(f"WHEN {hash_sql(person)} < %s THEN {slot}")
        params += [f"{draw.key}:slot", ceiling]
    return f"CASE {' '.join(parts)} END", params


def holdout_key(campaign: Campaign) -> str:
    """What the hash of this campaign is salted with, so that each campaign holds out others."""
    return f"campaign:{campaign.pk}"
