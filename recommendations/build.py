"""Make everybody's picks anew: candidates, rules, reasons, written, switched; all or nothing."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection

from marketing.core import bus
from marketing.core.db import advisory_lock, copy_rows
from recommendations import (
    candidates,
    evaluate,
    likeness,
    novelties,
    placements,
    reasons,
    rules,
)
from recommendations.candidates import Engine, Question
from recommendations.models import Placement, Recommendation, RecommendationSet
from recommendations.novelties import Catalogue, News
from recommendations.placements import default_placement
from recommendations.rules import Rules, costs

State = RecommendationSet.State

Say = Callable[[str, int, int], None]
# People whose picks are compared with and without new products.
COMPARED = 10_000


@dataclass(frozen=True)
class Picked:
    """One engine's final picks: (n, size) products, scores, reason codes and anchor products.

    `kept`: what is left of the engine's own gain where new products got places (`rules.costs`).
    """

    engine: Engine
    picks: np.ndarray
    scores: np.ndarray
    why: np.ndarray
    anchor: np.ndarray
    kept: float = 1.0


def stored_placements() -> list[Placement]:
    """The placements whose picks are chosen beforehand for everybody, the one of mails first."""
    default = default_placement()
    kinds = [kind for kind, sort in placements.SORTS.items() if sort.personal]
    others = Placement.objects.filter(enabled=True, kind__in=kinds).exclude(pk=default.pk)
    return [default, *others.order_by("pk")]


def refresh(
    *,
    placement: Placement,
    now: datetime,
    say: Say | None = None,
    catalogue: Catalogue | None = None,
) -> list[RecommendationSet]:
    """Pick for everybody with every live engine, and let the best judged one serve.

    `say(engine, done, total)` hears of progress and may raise to stop; until the switch, which is
    one transaction, nothing is changed. Refuses when no model is live. `catalogue` is what is said
    of goods, where several placements are picked for at once.
    """
    tell = say or (lambda engine, done, total: None)
    wanted = Rules.of(placement.rules, placement.size)
    live = candidates.live_entries()
    question = candidates.ask(rules=wanted, now=now)
    news = novelties.propose(question=question, catalogue=catalogue or Catalogue(now), rules=wanted)
    everyone: Picked | None = None
    made: list[Picked] = []
    for entry, version in live:
        engine = candidates.propose(
            entry=entry,
            version=version,
            question=question,
            rules=wanted,
            report=lambda done, total, name=entry.engine: tell(name, done, total),  # type: ignore[misc]
        )
        picked = pick(engine, question, wanted, everyone)
        everyone = everyone or picked
        made.append(with_new(picked, news, question, wanted))
    assert everyone is not None
    best = evaluate.best([version for _entry, version in live])
    return switch(
        placement=placement,
        made=made,
        people=question.people,
        best=best.pk,
        now=now,
        popular=everyone.picks,
    )


def pick(engine: Engine, question: Question, wanted: Rules, everyone: Picked | None) -> Picked:
    """Apply the rules, fill what stays empty from popularity, and give every pick its reason."""
    picks, scores = rules.apply(
        engine.picks,
        engine.scores,
        shelf=question.shelf,
        owned=question.owned,
        rules=wanted,
        limits=question.limits,
    )
    if everyone is None:
        why = np.where(picks >= 0, reasons.POPULAR, reasons.NONE)
        return Picked(engine, picks, scores, why, np.full(picks.shape, -1))
    picks, scores, filled = rules.fill_up(picks, scores, everyone.picks, everyone.scores)
    owned = question.owned
    own_picks = np.where(filled, -1, picks)
    if engine.explain is not None:
        anchor = engine.explain(question.people, own_picks).anchor
    else:
        anchor = likeness.anchors(own_picks, engine.vectors, owned.row, owned.item)
    own = np.where(anchor >= 0, reasons.BECAUSE, reasons.TASTE)
    why = np.where(filled, reasons.POPULAR, own)
    return Picked(engine, picks, scores, np.where(picks >= 0, why, reasons.NONE), anchor)


def with_new(picked: Picked, news: News | None, question: Question, wanted: Rules) -> Picked:
    """The same with new products in the places that the rules give them."""
    if news is None:
        return picked
    picks, scores, whence = rules.give_places(
        picked.picks,
        picked.scores,
        news.picks,
        news.scores,
        shelf=question.shelf,
        owned=question.owned,
        rules=wanted,
        limits=question.limits,
    )
    is_new = whence >= 0
    # Where each of the old picks stood, so that its reason comes along.
    came = (picks[:, :, None] == picked.picks[:, None, :]).argmax(axis=2)
    why, anchor = (np.take_along_axis(one, came, axis=1) for one in (picked.why, picked.anchor))
    like = np.take_along_axis(news.anchor, np.maximum(whence, 0), axis=1)
    return replace(
        picked,
        picks=picks,
        scores=scores,
        why=np.where(is_new, reasons.NEW, np.where(picks >= 0, why, reasons.NONE)),
        anchor=np.where(is_new, like, anchor),
        kept=costs.kept(picked.picks[:COMPARED], picks[:COMPARED]),
    )


def switch(
    *,
    placement: Placement,
    made: list[Picked],
    people: np.ndarray,
    best: int | None,
    now: datetime,
    popular: np.ndarray | None = None,
) -> list[RecommendationSet]:
    """Write the new sets and put them in place of the old ones in one transaction.

    `popular` (n, size) are everybody's picks by popularity alone, else those of the first.
    """
    head = made[0].picks if popular is None else popular
    with advisory_lock(f"placement:{placement.pk}"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        sets = RecommendationSet.objects.bulk_create(
            RecommendationSet(
                placement=placement,
                engine=picked.engine.entry.engine,
                model_version_id=picked.engine.version.pk,
                state=State.BUILDING,
                metrics=_facts(picked, head),
                created_at=now,
            )
            for picked in made
        )
        _write(cursor, made, sets, people)
        clear(placement=placement, but=[row.pk for row in sets])
        for row, picked in zip(sets, made, strict=True):
            row.state, row.serving = State.COMPLETE, picked.engine.version.pk == best
        RecommendationSet.objects.bulk_update(sets, ["state", "serving"])
        bus.announce("recommendations.refreshed", placement_id=placement.pk)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recommendations_recommendation")
    return sets


def clear(*, placement: Placement, but: Collection[int] = ()) -> None:
    """Delete the sets of a placement with their picks, except the ones named."""
    old = RecommendationSet.objects.filter(placement=placement).exclude(pk__in=but)
    Recommendation.objects.filter(set__in=old)._raw_delete(using="default")
    old.delete()


def _facts(picked: Picked, popular: np.ndarray) -> dict[str, Any]:
    shown = picked.picks[picked.picks >= 0]
    # What people without a history get: the head of the popular list, whoever it was made for.
    ids, counts = np.unique(popular[popular >= 0], return_counts=True)
    newcomers = ids[np.argsort(-counts, kind="stable")][: popular.shape[1]]
    return {
        "people": int((picked.picks >= 0).any(axis=1).sum()),
        "picks": len(shown),
        "products": len(np.unique(shown)),
        "personal": int(np.isin(picked.why, [reasons.BECAUSE, reasons.TASTE]).sum()),
        "new": int((picked.why == reasons.NEW).sum()),
        "new_products": len(np.unique(picked.picks[picked.why == reasons.NEW])),
        "new_cost": round(1 - picked.kept, 6),
        "newcomers": [int(key) for key in newcomers],
    }


_TEMPORARY = """
CREATE TEMPORARY TABLE fresh_picks (
    place int2, customer_id int8, rank int2, product_id int8, score float4, why int2, anchor int8
) ON COMMIT DROP
"""
# People and products that were deleted meanwhile simply have no row any more.
_INSERT = """
INSERT INTO recommendations_recommendation (set_id, customer_id, rank, product_id, score, reason)
SELECT (%(sets)s::int8[])[f.place], f.customer_id, f.rank, f.product_id, f.score,
       CASE WHEN f.why = %(because)s AND a.id IS NOT NULL
            THEN jsonb_build_object('code', 'because', 'product_id', a.id, 'name', coalesce(nullif(a.name, ''), a.sku))
            WHEN f.why = %(new)s
            THEN jsonb_build_object('code', 'new', 'product_id', a.id, 'name', coalesce(nullif(a.name, ''), a.sku))
            WHEN f.why = %(popular)s THEN '{"code": "popular"}'::jsonb
            ELSE '{"code": "taste"}'::jsonb END
FROM fresh_picks AS f
JOIN ingestion_customer AS c ON c.id = f.customer_id
JOIN ingestion_product AS p ON p.id = f.product_id
LEFT JOIN ingestion_product AS a ON a.id = f.anchor
ORDER BY f.place, f.customer_id, f.rank
"""  # noqa: E501
_FIELDS = (
    ("place", "i2"), ("customer_id", "i8"), ("rank", "i2"), ("product_id", "i8"),
    ("score", "f4"), ("why", "i2"), ("anchor", "i8"),
)  # fmt: skip
_ROW = np.dtype(
    [("fields", ">i2")]
    + [pair for name, kind in _FIELDS for pair in ((f"{name}_size", ">i4"), (name, f">{kind}"))]
)
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def _write(cursor: Any, made: list[Picked], sets: list[RecommendationSet], people: Any) -> None:
    cursor.execute(_TEMPORARY)
    copy_rows(
        cursor, "fresh_picks", [n for n, _k in _FIELDS], _lines(made, people), "FORMAT binary"
    )
    cursor.execute(
        _INSERT,
        {
            "sets": [row.pk for row in sets],
            "because": reasons.BECAUSE,
            "popular": reasons.POPULAR,
            "new": reasons.NEW,
        },
    )
    cursor.execute("DROP TABLE fresh_picks")


def _lines(made: list[Picked], people: np.ndarray) -> Iterator[bytes]:
    """The picks as rows of COPY's binary form."""
    yield _HEADER
    for place, picked in enumerate(made, start=1):
        row, rank = np.nonzero(picked.picks >= 0)
        out = np.empty(len(row), dtype=_ROW)
        out["fields"] = len(_FIELDS)
        for name, kind in _FIELDS:
            out[f"{name}_size"] = int(kind[1])
        out["place"] = place
        out["customer_id"] = people[row]
        out["rank"] = rank + 1
        for name, values in (
            ("product_id", picked.picks),
            ("score", picked.scores),
            ("why", picked.why),
            ("anchor", picked.anchor),
        ):
            out[name] = values[row, rank]
        yield out.tobytes()
    yield b"\xff\xff"
