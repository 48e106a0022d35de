"""Plan the offers: who fits, how likely they take it, what it is worth, whom the budget goes to.

Offers with a discount whose effect was measured are given out first, by what they add; whoever got
none then competes for the others by what they are expected to sell. Nothing that was stored is
touched before the new choices replace it in one transaction.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from recommendations.models import OfferPlan
from recommendations.offers import making, people, storing, terms
from recommendations.offers.allocation import NONE, allocate
from recommendations.offers.making import Made
from recommendations.offers.people import Audience
from recommendations.offers.storing import Rows
from recommendations.offers.worth import Sum, expect

Array = np.ndarray[Any, np.dtype[Any]]
Say = Callable[[int, int], None]


def plan(*, row: OfferPlan, now: datetime, say: Say | None = None) -> dict[str, Any]:
    """Plan a row's offers anew and store who gets what; what came of it, as stored in `result`."""
    tell = say or (lambda done, total: None)
    offers = terms.read(row.offers, kind=row.kind)
    crowd = people.read(plan=row, offers=offers, now=now)
    asking, made = making.Asking(row, crowd, now), []
    for n, offer in enumerate(offers):
        made.append(making.make(asking=asking, offer=offer))
        tell(n + 1, len(offers) + 1)
    table = np.stack([one.reckoned.worth for one in made], axis=1)
    cost = np.stack([one.reckoned.cost for one in made], axis=1)
    first = np.array([one.measured and one.offer.discounted for one in made])
    chosen = np.full(len(crowd.ids), NONE, dtype=np.int64)
    budget, bound, worth, spent, price = float(row.budget), 0.0, 0.0, 0.0, 0.0
    for stage in (first, ~first):
        if stage.any():
            free = (chosen == NONE)[:, None] & stage[None, :]
            found = allocate(np.where(free, table, -np.inf), cost, budget=budget - spent)
            chosen = np.where(found.offer == NONE, chosen, found.offer)
            bound, worth = bound + found.bound, worth + found.worth
            spent, price = spent + found.cost, max(price, found.price)
    result = _told(row, made, crowd, chosen, table)
    result |= {
        "bound": bound, "gap": max(0.0, 1 - worth / bound) if bound > 0 else 0.0,
        "price": price, "cost": spent, "as_of": now.isoformat(), "budget": budget,
        "currency": row.currency,
    }  # fmt: skip
    storing.replace(row=row, rows=_rows(made, crowd, chosen), result=result, now=now)
    tell(len(offers) + 1, len(offers) + 1)
    return result


def _told(
    row: OfferPlan, made: list[Made], crowd: Audience, chosen: Array, table: Array
) -> dict[str, Any]:
    """Sums for the page: of each offer and of all, who is left out and by what."""
    contact = float(row.contact_cost)
    lines, sums = [], []
    most = 0.0
    for n, one in enumerate(made):
        get = chosen == n
        count = int(get.sum())
        total = _sum(one, get, contact * count)
        sums.append((one, total))
        most += float(one.discount[get].sum()) + contact * count
        lines.append(
            {
                **one.offer.stored(), "people": count, "measured": one.measured,
                "discounted": one.offer.discounted,
                "sales": float(np.nansum(one.reckoned.chance[get])),
                "cost": float(one.reckoned.cost[get].sum()), "worth": _dict(total),
                "level": one.level, "out": _out(one),
            }
        )  # fmt: skip
    whole = [total for _one, total in sums]
    added = [total for one, total in sums if one.measured]
    nobody = chosen == NONE
    would = (table > 0).any(axis=1) if table.size else np.zeros(0, dtype=bool)
    return {
        "people": len(crowd.ids), "chosen": int((~nobody).sum()), "most": most, "offers": lines,
        "worth": _dict(_add(whole)), "added": _dict(_add(added)) if added else None,
        "discounts": any(one.offer.discounted for one in made),
        "proven": all(one.measured for one in made if one.offer.discounted),
        "out": {
            "objects": crowd.objects, "budget": int((nobody & would).sum()),
            "nothing": int((nobody & ~would).sum()),
        },
    }  # fmt: skip


def _sum(one: Made, get: Array, fixed: float) -> Sum:
    chance = np.nan_to_num(one.reckoned.chance[get])
    if one.effect is None:
        gain = np.nan_to_num(one.value[get]) - one.discount[get]
        return expect(chance=chance, gain=gain, fixed=fixed, level=one.level)
    gives = float((chance * one.discount[get]).sum()) + fixed
    value = np.nan_to_num(one.value[get] * one.rate[get])
    mean = float((np.nan_to_num(one.effect.value[get]) * value).sum())
    spread = 1.96 * float(
        np.sqrt((chance * (1 - chance) * np.nan_to_num(one.value[get]) ** 2).sum())
    )
    low = high = mean
    if one.effect.low is not None and one.effect.high is not None:
        low = float((np.nan_to_num(one.effect.low[get]) * value).sum())
        high = float((np.nan_to_num(one.effect.high[get]) * value).sum())
    return Sum(mean - gives, low - spread - gives, high + spread - gives)


def _add(sums: list[Sum]) -> Sum:
    """Of all offers: their bounds are added, as one wrong level may be behind all of them."""
    return Sum(sum(s.value for s in sums), sum(s.low for s in sums), sum(s.high for s in sums))


def _dict(total: Sum) -> dict[str, float]:
    return {"value": total.value, "low": total.low, "high": total.high}


def _out(one: Made) -> dict[str, Any]:
    judged, reckoned = one.judged, one.reckoned
    fits = judged.fits
    unsaid = fits & ~np.isfinite(reckoned.worth)
    return {
        "rules": [
            {"people": int((judged.by == n).sum()),
             "unknown": int(((judged.by == n) & judged.unknown).sum())}
            for n in range(len(one.offer.rules))
        ],
        "unsaid": int(unsaid.sum()), "anyway": int(reckoned.anyway.sum()),
        "worthless": int((fits & ~unsaid & ~reckoned.anyway & (reckoned.worth <= 0)).sum()),
    }  # fmt: skip


def _rows(made: list[Made], crowd: Audience, chosen: Array) -> Rows:
    """Who gets what, as it is stored."""
    get = np.flatnonzero(chosen != NONE)
    which = chosen[get]
    product = np.full(len(get), NONE, dtype=np.int64)
    numbers = np.empty((3, len(get)))
    for n, one in enumerate(made):
        own = which == n
        who = get[own]
        product[own] = one.product[who]
        for column, of in enumerate((one.reckoned.chance, one.reckoned.worth, one.reckoned.cost)):
            numbers[column, own] = of[who]
    return Rows(crowd.ids[get], which, product, *numbers)
