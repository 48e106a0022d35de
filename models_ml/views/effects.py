"""What a page shows of an effect: the curve, what was said and seen, whom to mail and whom not."""

import json
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from marketing.core import brand, wording
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import reading
from models_ml.views import names, person, plots

LEAST_TOP, MOST_TOP, STEP = 5, 60, 5
HALF = 50
_COUNT = """
    SELECT count(*) FILTER (WHERE s.percentile > 100 - %(top)s AND s.value > 0),
           count(*) FILTER (WHERE s.value < 0),
           count(*) FILTER (WHERE s.value >= 0 AND s.percentile <= 100 - %(top)s
                            AND b.percentile > 100 - %(half)s),
           count(*) FILTER (WHERE s.value >= 0 AND s.percentile <= 100 - %(top)s
                            AND coalesce(b.percentile, 0) <= 100 - %(half)s)
    FROM models_ml_score AS s LEFT JOIN models_ml_score AS b
        ON b.prediction_id = %(base)s AND b.customer_id = s.customer_id
    WHERE s.prediction_id = %(prediction)s"""


def points(value: float) -> str:
    return person.step(Prediction.Kind.EFFECT, value)


def of_version(row: Prediction, version: ModelVersion) -> dict[str, Any]:
    """The figures that a version was judged by, for the page."""
    details = version.details
    facts = (details.get("verdict") or {}).get("facts") or {}
    mean, lead = facts.get("mean") or {}, facts.get("gain") or {}
    return {
        "mean": {name: points(value) for name, value in mean.items()},
        "held_out": details.get("held_out"),
        "more": _more(row),
        "curve": plots.gained(details.get("curve"), details.get("curve_baseline")),
        "fifths": _fifths(details.get("fifths") or []),
        "learners": _learners(details),
        "runs": [
            {
                **one,
                "day": datetime.fromisoformat(one["at"]),
                "url": reverse("campaigns:campaign-detail", args=[one["campaign"]]),
            }
            for one in details.get("runs") or []
        ],
        "even_with_rule": (details.get("verdict") or {}).get("ok")
        and bool(lead)
        and lead["low"] <= 0 <= lead["high"],
    }


def _more(row: Prediction) -> str:
    """What a mail brings about more of."""
    event = row.target.get("event")
    return _("more “%(event)s”") % {"event": event} if event else _("more orders")


def _fifths(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ends = [
        abs(value)
        for one in rows
        for value in (one["said"], *(one["seen"] or {}).values())
        if isinstance(value, int | float)
    ]
    reach = max(ends, default=0.0) or 1.0
    found = []
    for one in rows:
        seen = one["seen"]
        place = {name: round(50 + 50 * value / reach, 1) for name, value in (seen or {}).items()}
        found.append(
            {
                "people": one["people"],
                "said": points(one["said"]),
                "seen": {name: points(value) for name, value in seen.items()} if seen else None,
                "at": place.get("value"),
                "low": place.get("low"),
                "wide": round(place["high"] - place["low"], 1) if seen else None,
                "sure": bool(seen) and (seen["low"] > 0 or seen["high"] < 0),
            }
        )
    return found


def _learners(details: dict[str, Any]) -> list[dict[str, Any]]:
    """Every way of ranking people, best first, the dull rules among them."""
    rows = [one for one in details.get("learners") or [] if one.get("qini")]
    ends = [abs(one["qini"][name]) for one in rows for name in ("low", "high")]
    reach = max(ends, default=0.0) or 1.0
    found = [
        {
            "name": names.rule(one["name"])
            if one["is_baseline"]
            else names.method(one["name"], "effect"),
            "is_baseline": one["is_baseline"],
            "is_best": one["name"] == details.get("best"),
            "cv": wording.decimal(1_000 * one["cv"], 2) if one.get("cv") is not None else "–",
            "value": wording.decimal(1_000 * one["qini"]["value"], 2),
            "low": wording.decimal(1_000 * one["qini"]["low"], 2),
            "high": wording.decimal(1_000 * one["qini"]["high"], 2),
            "seconds": one.get("seconds"),
            "order": one["qini"]["value"],
            "at": round(50 + 50 * one["qini"]["value"] / reach, 1),
            "from": round(50 + 50 * one["qini"]["low"] / reach, 1),
            "wide": round(50 * (one["qini"]["high"] - one["qini"]["low"]) / reach, 1),
        }
        for one in rows
    ]
    return sorted(found, key=lambda one: -one["order"])


def reach(row: Prediction) -> dict[str, Any]:
    """Whom to reach: sums of what is said, by percentile from those moved most."""
    slices = reading.slices(prediction=row)
    if not slices:
        return {}
    total, spread = slices[-1], reading.spread(prediction=row)
    start = next((one for one in slices if one["people"] >= 0.1 * total["people"]), total)
    profit = (row.settings or {}).get("profit") or {}
    return {
        "slices": slices,
        "start": start,
        "start_least": points(start["least"]),
        "start_at": slices.index(start),
        "start_average": points(start["expected"] / max(start["people"], 1)),
        "total": total,
        "everybody": wording.decimal(total["expected"], 0),
        "spread": plots.bars(spread),
        "spread_from": points(spread[0]["from"]),
        "spread_to": points(spread[-1]["to"]),
        "profit": {"worth": profit.get("worth"), "cost": profit.get("cost")},
        "reach_data": {
            "slices": slices,
            "kind": row.kind,
            "currency": brand.now().currency,
            "points": _("%s points"),
            "worth": profit.get("worth"),
            "cost": profit.get("cost"),
        },
    }


def top_of(version: ModelVersion) -> int:
    """The best share of people to mail, in percent: where the curve of the judging is highest."""
    curve = version.details.get("curve") or []
    best = max(curve, key=lambda one: one["gained"], default={"people": 0.2})
    wanted = STEP * round(100 * float(best["people"]) / STEP)
    return min(max(wanted, LEAST_TOP), MOST_TOP)


def base_of(row: Prediction) -> Prediction | None:
    """A prediction of the same outcome as such, by which people are told who do it anyway."""
    event = row.target.get("event", "")
    wanted = {"target__type": "event", "target__event": event} if event else {
        "target__type": "order"
    }  # fmt: skip
    chances = Prediction.objects.filter(
        state=Prediction.State.ACTIVE, kind=Prediction.Kind.CHANCE, scored_people__gt=0, **wanted
    ).exclude(settings__engine="lifetime")
    return min(
        chances, key=lambda one: (abs(one.horizon_days - row.horizon_days), one.pk), default=None
    )


def groups(row: Prediction, version: ModelVersion) -> dict[str, Any]:
    """The four groups as rules of segments, with how many people are in each."""
    top, base = top_of(version), base_of(row)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {"top": top, "half": HALF, "prediction": row.pk, "base": base.pk if base else -1},
        )
        counts = cursor.fetchone()
    best = {"score": row.key, "op": "top", "value": top}
    rest = [{"score": row.key, "op": ">=", "value": 0}, {"not": best}]
    likely = {"score": base.key, "op": "top", "value": HALF} if base else None
    told: list[tuple[str, str, str, str, Any, int]] = [
        (
            "trending-up", "k2", _("Persuadables"),
            _("The %(top)d%% moved most: they act because of the mail. Mail them.") % {"top": top},
            {"all": [best, {"score": row.key, "op": ">", "value": 0}]}, counts[0],
        ),
        (
            "user-check", "k1", _("Sure things"),
            _("Likely to act, and hardly moved: a discount is wasted on them."),
            {"all": [*rest, likely]} if likely else None, counts[2],
        ),
        (
            "moon", "k8", _("Lost causes"),
            _("Unlikely to act, with the mail or without. Another message may do."),
            {"all": [*rest, {"not": likely}]} if likely else None, counts[3],
        ),
        (
            "mail-off", "k4", _("Do not disturb"),
            _("Said to act less because of the mail. Leave them out, or try it on a few."),
            {"all": [{"score": row.key, "op": "<", "value": 0}]}, counts[1],
        ),
    ]  # fmt: skip
    return {
        "base": base,
        "groups": [
            {
                "icon": icon,
                "hue": hue,
                "title": title,
                "text": text,
                "rule": rule,
                "json": json.dumps(rule),
                "people": people,
                "name": f"{row.title}: {title.lower()}"[:120],
            }
            for icon, hue, title, text, rule, people in told
        ],
    }
