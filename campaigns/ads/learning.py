"""Models of clicks and conversions, for workers: fitted on earlier days, judged on later ones.

A logistic regression over hashed and crossed facts, on top of the plain rate of creative and
placement, calibrated on days between the two. It goes live only where its log loss on the later
days is surely lower than that of the plain rates; else it is refused with the reason. Only
impressions of people who agree to ads now, or of visitors who agreed there, are read; rows are
sums over equal facts, so millions of impressions are a few thousand rows.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from django.db import connection
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from campaigns.ads import features, permission, sharing
from campaigns.ads.choosing import CTR
from campaigns.ads.features import Facts, Table
from campaigns.models import AdHit
from models_ml import registry
from models_ml.algorithms import classify
from models_ml.models import ModelVersion

SEED = 11
DAYS = 60
# Of the days with data: the last part judges, the part before it calibrates.
LATER, BETWEEN = 0.2, 0.15
LEAST_DAYS = 5
LEAST_YES = 200
# Tries that a plain rate of creative and placement is drawn towards the creative's own by.
SHRINK = 200.0
STRENGTHS = (0.01, 0.03, 0.1, 0.3)
GROUPS = 40
BINS = 10
_DAY = timedelta(days=1)
# What was tried: impressions for clicks, clicks for conversions; and whether the answer came.
_ROWS = """
SELECT i.creative_id, i.placement_id, extract(hour FROM i.at)::int,
    extract(isodow FROM i.at)::int - 1, i.device, i.country, i.recency, i.orders,
    (i.at AT TIME ZONE 'UTC')::date, {group},
    width_bucket(extract(epoch FROM %(now)s - i.at) / 3600.0, %(ages)s::float8[]),
    count(*), count(*) FILTER (WHERE a.yes)
FROM campaigns_adhit i
LEFT JOIN LATERAL (
    SELECT true AS yes FROM campaigns_adhit a
    WHERE a.cause = i.key AND a.kind = %(answer)s AND a.at < %(now)s LIMIT 1) a ON true
WHERE i.kind = %(tried)s AND i.learnable AND i.at >= %(since)s AND i.at < %(now)s
    AND (i.customer_id IS NULL OR {agreed})
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"""
# People stay together in one group, so that the spread between groups knows their likeness.
_GROUP = "abs(hashtextextended(coalesce(i.customer_id::text, i.key::text), 0)) %% {n}"
AGES = (0.5, 1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 120, 168, 240, 336, 504, 720)


@dataclass
class Rows:
    """Sums over equal facts. Of the tries that stayed silent a part is counted as `yes`: those that
    will answer yet."""

    facts: list[Facts]
    day: NDArray[Any]
    group: NDArray[np.int64]
    n: NDArray[np.float64]
    yes: NDArray[np.float64]
    no: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> "Rows":
        facts = [one for one, kept in zip(self.facts, mask, strict=True) if kept]
        return Rows(
            facts, self.day[mask], self.group[mask], self.n[mask], self.yes[mask], self.no[mask]
        )


def read(*, name: str, now: datetime) -> Rows:
    """Everything that may be learned from, of the last 60 days."""
    tried, answer = (
        (AdHit.IMPRESSION, AdHit.CLICK) if name == CTR else (AdHit.CLICK, AdHit.CONVERSION)
    )
    since = now - DAYS * _DAY
    delays = sharing.delays_of(kind=answer, since=since, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _ROWS.format(group=_GROUP.format(n=GROUPS), agreed=permission.sql("i.customer_id")),
            {"now": now, "since": since, "tried": tried, "answer": answer, "ages": list(AGES)},
        )  # fmt: skip
        rows = cursor.fetchall()
    middles = [AGES[0] / 2]
    middles += [(a + b) / 2 for a, b in itertools.pairwise(AGES)]
    middles.append(AGES[-1] * 1.5)
    n = np.array([row[11] for row in rows], dtype=float)
    yes = np.array([row[12] for row in rows], dtype=float)
    ripe = np.array([delays.share(middles[row[10]]) for row in rows])
    come = (n - yes) * still_to_come(np.array([row[0] for row in rows]), n, yes, ripe)
    return Rows(
        [Facts(*row[:8]) for row in rows],
        np.array([row[8] for row in rows], dtype="datetime64[D]"),
        np.array([row[9] for row in rows], dtype=np.int64),
        n,
        yes + come,
        n - yes - come,
    )


def still_to_come(
    creative: NDArray[np.int64],
    n: NDArray[np.float64],
    yes: NDArray[np.float64],
    ripe: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The chance that a try which stayed silent until now answers yet.

    By the rate of its creative, in which young tries count as much as they can have answered; a
    step of Chapelle, "Modeling delayed feedback in display advertising", KDD 2014.
    """
    if not len(creative):
        return np.zeros(0)
    _names, which = np.unique(creative, return_inverse=True)
    grown, came = np.bincount(which, n * ripe), np.bincount(which, yes)
    rate = float(came.sum() / max(grown.sum(), 1.0))
    own = np.minimum((came + SHRINK * rate) / (grown + SHRINK), 0.999)[which]
    return own * (1 - ripe) / (1 - own * ripe)


def merged(rows: Rows) -> Rows:
    """One row for equal facts, whatever the day: what is fitted on asks no more."""
    numbers: dict[Facts, int] = {}
    which = np.array([numbers.setdefault(one, len(numbers)) for one in rows.facts], dtype=np.int64)
    width = len(numbers)

    def summed(part: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(which, part, minlength=width).astype(np.float64)

    nothing = np.zeros(width, dtype=np.int64)
    return Rows(list(numbers), nothing, nothing, summed(rows.n), summed(rows.yes), summed(rows.no))


def matrix(facts: Sequence[Facts]) -> sparse.csr_matrix:
    """A row of ones and zeros for each."""
    places = [features.places(one) for one in facts]
    width = len(places[0]) if places else 0
    columns = np.array(places, dtype=np.int64).reshape(-1)
    starts = np.arange(len(places) + 1) * width
    found = sparse.csr_matrix(
        (np.ones(len(columns)), columns, starts), shape=(len(places), features.SIZE)
    )
    found.sum_duplicates()
    return found


def plain_rates(rows: Rows) -> tuple[float, dict[str, float], dict[str, float]]:
    """Everybody's rate, the creatives' drawn towards it, and theirs by placement towards those."""
    total = float(rows.yes.sum() + rows.no.sum())
    rate = float(rows.yes.sum()) / total if total else 0.0
    sums: dict[str, list[float]] = {}
    for one, yes, no in zip(rows.facts, rows.yes, rows.no, strict=True):
        for key in (str(one.creative), f"{one.creative}:{one.placement}"):
            pair = sums.setdefault(key, [0.0, 0.0])
            pair[0] += float(yes)
            pair[1] += float(yes + no)
    creatives = {
        key: features.shrunk(*pair, towards=rate, by=SHRINK)
        for key, pair in sums.items()
        if ":" not in key
    }
    rates = {
        key: features.shrunk(*pair, towards=creatives[key.partition(":")[0]], by=SHRINK)
        for key, pair in sums.items()
        if ":" in key
    }
    return rate, creatives, rates


def _logits(table: Table, facts: Sequence[Facts]) -> NDArray[np.float64]:
    return np.array([features.logit(table.plain(one)) for one in facts])


def fit(rows: Rows, between: Rows) -> Table:
    """Rates, then what words add to them, then the calibration, on days that came after."""
    rows, between = merged(rows), merged(between)
    rate, creatives, rates = plain_rates(rows)
    bare = Table(rate, rates, {}, creatives=creatives)
    x, x_between = matrix(rows.facts), matrix(between.facts)
    base, base_between = _logits(bare, rows.facts), _logits(bare, between.facts)
    # The plain rate enters as a column of its own beside the words, hardly held back.
    scale = 10.0
    best: tuple[float, Table] = (math.inf, bare)
    for strength in STRENGTHS:
        full = sparse.hstack([x, sparse.csr_matrix(base[:, None] * scale)]).tocsr()
        doubled = sparse.vstack([full, full]).tocsr()
        y = np.r_[np.ones(len(base)), np.zeros(len(base))]
        weight = np.r_[rows.yes, rows.no]
        kept = weight > 0
        model = LogisticRegression(C=strength, max_iter=200)
        model.fit(doubled[kept], y[kept], sample_weight=weight[kept])
        pull = float(model.coef_[0, -1]) * scale
        words = model.coef_[0, :-1] / (pull if abs(pull) > 1e-3 else 1.0)
        added = x_between @ words
        slope, shift = _calibrated(base_between + added, between)
        said = 1 / (1 + np.exp(-(shift + slope * (base_between + added))))
        loss = _loss(said, between)
        if loss < best[0]:
            weights = {int(i): round(float(words[i]), 6) for i in np.flatnonzero(words)}
            best = (loss, Table(rate, rates, weights, slope, shift, creatives))
    return best[1]


def _calibrated(margin: NDArray[np.float64], rows: Rows) -> tuple[float, float]:
    """Platt's line through the margins."""
    weight = np.r_[rows.yes, rows.no]
    kept = weight > 0
    y = np.r_[np.ones(len(margin)), np.zeros(len(margin))]
    line = LogisticRegression(C=1e6, max_iter=200)
    line.fit(np.r_[margin, margin][kept, None], y[kept], sample_weight=weight[kept])
    slope, shift = float(line.coef_[0, 0]), float(line.intercept_[0])
    return (slope, shift) if slope > 0 else (1.0, 0.0)


def _loss(said: NDArray[np.float64], rows: Rows) -> float:
    p = np.clip(said, 1e-9, 1 - 1e-9)
    total = float(rows.yes.sum() + rows.no.sum())
    return -float((rows.yes * np.log(p) + rows.no * np.log1p(-p)).sum()) / max(total, 1.0)


def said_of(table: Table, rows: Rows) -> NDArray[np.float64]:
    """The chance of each row."""
    return np.array([table.chance(one) for one in rows.facts])


def gain(ours: NDArray[np.float64], plain: NDArray[np.float64], rows: Rows) -> classify.Interval:
    """By how much the log loss of an impression falls, with the 95% interval between groups."""
    p, q = np.clip(ours, 1e-9, 1 - 1e-9), np.clip(plain, 1e-9, 1 - 1e-9)
    saved = rows.yes * np.log(p / q) + rows.no * np.log((1 - p) / (1 - q))
    weight = rows.yes + rows.no
    value = float(saved.sum() / max(weight.sum(), 1.0))
    sums = np.bincount(rows.group, saved, minlength=GROUPS)
    sizes = np.bincount(rows.group, weight, minlength=GROUPS)
    kept = sizes > 0
    means = (sums[kept] - value * sizes[kept]) / sizes[kept].mean()
    error = float(means.std(ddof=1) / math.sqrt(kept.sum())) if kept.sum() > 1 else math.inf
    margin = 2.02 * error  # Student's t with 39 degrees of freedom
    return classify.Interval(value, value - margin, value + margin)


def reliability(said: NDArray[np.float64], rows: Rows) -> list[dict[str, float]]:
    """Said and seen rates by equal parts of the impressions, in the order of what is said."""
    order = np.argsort(said, kind="stable")
    weight = (rows.yes + rows.no)[order]
    middle = (np.cumsum(weight) - weight / 2) / max(weight.sum(), 1e-9)
    part = np.minimum((middle * BINS).astype(int), BINS - 1)
    found = []
    for number in np.unique(part):
        here = order[part == number]
        n = float((rows.yes + rows.no)[here].sum())
        yes = float(rows.yes[here].sum())
        seen = classify.wilson(round(yes), max(round(n), 1))
        found.append(
            {
                "said": round(float((said[here] * (rows.yes + rows.no)[here]).sum() / n), 6),
                "seen": round(yes / n, 6),
                "low": round(seen.low, 6),
                "high": round(seen.high, 6),
                "people": round(n),
            }
        )
    return found


def error_of(bins: Sequence[dict[str, float]]) -> float:
    """Expected calibration error: how far what is said lies from what is seen, on average."""
    total = sum(one["people"] for one in bins)
    return sum(abs(one["said"] - one["seen"]) * one["people"] for one in bins) / max(total, 1)


def train(*, name: str, now: datetime, job_id: int | None = None) -> ModelVersion | None:
    """Fit, judge, publish or refuse; None while there is too little to judge by."""
    rows = read(name=name, now=now)
    days = np.unique(rows.day)
    if len(days) < LEAST_DAYS or rows.yes.sum() < LEAST_YES:
        return None
    later_from = days[-max(1, round(len(days) * LATER))]
    earlier = days[days < later_from]
    between_from = earlier[-max(1, round(len(days) * BETWEEN))]
    before = rows.where(rows.day < between_from)
    between = rows.where((rows.day >= between_from) & (rows.day < later_from))
    later = rows.where(rows.day >= later_from)
    if min(part.yes.sum() for part in (before, between, later)) < LEAST_YES / 10:
        return None
    # Threads that share little work mostly wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        table = fit(before, between)
    # The plain rates are told all that came before the later days, too.
    known = rows.where(rows.day < later_from)
    rate, creatives, rates = plain_rates(known)
    plain = Table(rate, rates, {}, creatives=creatives)
    ours, theirs = said_of(table, later), said_of(plain, later)
    found = gain(ours, theirs, later)
    bins = reliability(ours, later)
    loss, base_loss = _loss(ours, later), _loss(theirs, later)
    stored = table.as_json()
    version = registry.save(
        name=name,
        algorithm="logistic_hashed",
        write=lambda folder: _write(folder, stored),
        params={"words": len(table.weights), "size": features.SIZE, "shrink": SHRINK},
        metrics={
            "log_loss": round(loss, 6), "gain": found.as_json(), "ece": round(error_of(bins), 6),
            "rate": round(float(later.yes.sum() / (later.yes + later.no).sum()), 6),
            "tries": int(later.n.sum()),
        },
        baseline={
            "name": "creative_placement", "log_loss": round(base_loss, 6),
            "ece": round(error_of(reliability(theirs, later)), 6),
        },
        details={"table": stored, "calibration": bins, "days": len(days)},
        data_from=_moment(days[0], now),
        data_until=_moment(days[-1], now),
        rows=int(rows.n.sum()),
        seed=SEED,
        job_id=job_id,
        now=now,
    )  # fmt: skip
    if found.low <= 0:
        return registry.refuse(version=version, why=lambda: _why(loss, base_loss, found))
    return registry.promote(version=version)


def _moment(day: Any, now: datetime) -> datetime:
    return datetime.combine(day.astype(object), datetime.min.time(), tzinfo=now.tzinfo)


def _why(loss: float, base: float, found: classify.Interval) -> str:
    return _(
        "On later days its log loss was %(loss).5f, against %(base).5f of the plain rate of"
        " creative and placement: not surely better (difference %(gain)+.5f, 95%% interval"
        " %(low)+.5f to %(high)+.5f). More impressions, or facts in which people differ, would"
        " help."
    ) % {
        "loss": loss, "base": base, "gain": found.value, "low": found.low, "high": found.high,
    }  # fmt: skip


def _write(folder: Path, table: dict[str, Any]) -> None:
    (folder / "table.json").write_bytes(orjson.dumps(table))
