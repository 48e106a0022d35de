"""The bandit's rounds over creatives: shares from what came, answers still to come reckoned in.

Thompson's shares, and the estimates of what a way of choosing would have earned, are those of
`campaigns.experiments`. A try is worth the share of its answers that has come by now, so that a
creative that is new is not taken for a bad one. Shares, or a model's choice for each person, go
live only where they would have earned no less than what was done until now; for workers.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Sum

from campaigns.ads import choosing, features
from campaigns.ads import delays as waiting
from campaigns.ads.features import Facts
from campaigns.experiments import bandits, offpolicy
from campaigns.experiments.winners import Arm
from campaigns.models import AdCampaign, AdCreative, AdHit, AdHour, AdRound

DAYS = 28
MOST = 200_000
LEAST = 500
STARTED, SHARED, SUITED, HELD = "started", "shares", "person", "held"
_DELAYS = """
SELECT round(extract(epoch FROM at - cause_at) / 3600.0, 1),
    round(extract(epoch FROM %(now)s - cause_at) / 3600.0), count(*)
FROM campaigns_adhit WHERE kind = %(kind)s AND cause_at >= %(since)s
  AND (%(ad)s::bigint IS NULL OR ad_id = %(ad)s)
  AND at >= cause_at AND at < %(now)s GROUP BY 1, 2"""
# Of impressions that were chosen here: what was known, by which chance, and what came of it.
_LOG = """
SELECT i.creative_id, i.placement_id, extract(hour FROM i.at)::int,
    extract(isodow FROM i.at)::int - 1, i.device, i.country, i.recency, i.orders, i.chance,
    extract(epoch FROM %(now)s - i.at) / 3600.0,
    EXISTS (SELECT FROM campaigns_adhit k WHERE k.cause = i.key AND k.kind = 2 AND k.at < %(now)s),
    EXISTS (SELECT FROM campaigns_adhit k JOIN campaigns_adhit v ON v.cause = k.key
        WHERE k.cause = i.key AND k.kind = 2 AND v.kind = 3 AND v.at < %(now)s)
FROM campaigns_adhit i
WHERE i.ad_id = %(ad)s AND i.kind = 1 AND i.chance > 0 AND i.at >= %(since)s AND i.at < %(now)s
ORDER BY i.at DESC LIMIT %(most)s"""


def share_all(*, now: datetime) -> int:
    """A round for every running campaign whose shares follow the answers; how many changed."""
    wanted = AdCampaign.objects.filter(state=AdCampaign.State.RUNNING).exclude(
        mode=AdCampaign.Mode.FIXED
    )
    return sum(share(ad_id=pk, now=now) is not None for pk in wanted.values_list("pk", flat=True))


def delays_of(
    *, kind: int, since: datetime, now: datetime, ad: int | None = None
) -> waiting.Delays:
    """How long clicks or conversions take to come: those of one campaign, or of all."""
    with connection.cursor() as cursor:
        cursor.execute(_DELAYS, {"ad": ad, "kind": kind, "now": now, "since": since})
        seen = [(float(delay), float(age), float(n)) for delay, age, n in cursor.fetchall()]
    return waiting.learn(seen)


def arms_of(
    ad: AdCampaign, creatives: Sequence[AdCreative], *, delays: waiting.Delays, now: datetime
) -> dict[str, Arm]:
    """Per creative: how many impressions had their time, and how many answers came of them.

    Impressions of one hour are of one age. For conversions an impression's time is that of a click.
    """
    answer = "answered" if ad.goal == AdCampaign.Goal.CLICK else "turned"
    rows = (
        AdHour.objects.filter(ad=ad, hour__gte=now - timedelta(days=DAYS), hour__lte=now)
        .values_list("creative_id", "hour")
        .annotate(n=Sum("impressions"), yes=Sum(answer))
    )
    tries: dict[int, list[tuple[float, float]]] = {one.pk: [] for one in creatives}
    answers = dict.fromkeys(tries, 0)
    for creative, hour, n, yes in rows:
        if creative in tries:
            middle = hour + timedelta(minutes=30)
            tries[creative].append((max((now - middle) / timedelta(hours=1), 0.0), float(n)))
            answers[creative] += int(yes)
    found = {}
    for one in creatives:
        n = max(round(waiting.ripe(tries[one.pk], delays)), answers[one.pk])
        found[str(one.pk)] = Arm(n, answers[one.pk])
    return found


def share(*, ad_id: int, now: datetime) -> AdRound | None:
    """Hold a round: the shares from now on, and what they would have earned. None without need."""
    wanted = AdCampaign.objects.filter(pk=ad_id, state=AdCampaign.State.RUNNING).exclude(
        mode=AdCampaign.Mode.FIXED
    )
    ad = wanted.first()
    creatives = list(ad.creatives.filter(active=True).order_by("pk")) if ad else []
    if ad is None or not creatives:
        return None
    last = ad.rounds.first()
    before = choosing.shares_of(ad, tuple(creatives), last)
    names = [str(one.pk) for one in creatives]
    standing = dict(zip(names, before, strict=True))
    delays = delays_of(
        kind=AdHit.CLICK if ad.goal == AdCampaign.Goal.CLICK else AdHit.CONVERSION,
        since=now - timedelta(days=DAYS),
        now=now,
        ad=ad.pk,
    )
    arms = arms_of(ad, creatives, delays=delays, now=now)
    shares = bandits.thompson(arms, floor=ad.floor_percent / 100)
    seen = {name: [arm.n, arm.converted] for name, arm in arms.items()}
    values = judged(ad=ad, names=names, standing=standing, shares=shares, delays=delays, now=now)
    reason = _reason(ad, values)
    if reason == HELD:
        shares = standing
    if last is not None and last.reason == reason and _alike(last.shares, shares):
        return None
    # Judging takes its time, in which the controller must not wait; only the end is held by a lock.
    with transaction.atomic():
        if not wanted.select_for_update(no_key=True).exists():
            return None
        return AdRound.objects.create(
            ad=ad, at=now, shares=shares, seen=seen, values=values, reason=reason
        )


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(abs(one[name] - other[name]) < 0.005 for name in one)


def _reason(ad: AdCampaign, values: Mapping[str, Any]) -> str:
    """What goes live. While little was written down, shares do: they are near equal then."""
    if not values:
        return STARTED
    best = max(values["standing"]["value"], values["shares"]["value"])
    if ad.mode == AdCampaign.Mode.PERSON and "person" in values:
        person = values["person"]
        if person["value"] > best and person["rows"] >= offpolicy.LEAST_ROWS:
            return SUITED
    # Shares are held only where what was done is surely better than they are.
    if values["shares"]["high"] < values["standing"]["value"]:
        return HELD
    return SHARED


def judged(
    *, ad: AdCampaign, names: Sequence[str], standing: Mapping[str, float],
    shares: Mapping[str, float], delays: waiting.Delays, now: datetime,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """What each way of choosing would have earned an impression, doubly robustly."""
    params: dict[str, Any] = {
        "ad": ad.pk,
        "now": now,
        "since": now - timedelta(days=DAYS),
        "most": MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOG, params)
        rows = [row for row in cursor.fetchall() if str(row[0]) in names]
    if len(rows) < LEAST:
        return {}
    conversions = ad.goal == AdCampaign.Goal.CONVERSION
    ripe = np.array([delays.share(float(row[9])) for row in rows])
    # An answer that came early stands for those like it that are still to come.
    answered = np.array([float(row[11] if conversions else row[10]) for row in rows])
    kept = ripe >= 0.2
    reward = np.divide(answered, ripe, out=np.zeros_like(answered), where=kept)[kept]
    rows = [row for row, there in zip(rows, kept, strict=True) if there]
    if len(rows) < LEAST:
        return {}
    arm = np.array([names.index(str(row[0])) for row in rows])
    had = np.array([float(row[8]) for row in rows])
    place = np.unique([row[1] for row in rows], return_inverse=True)[1]
    said = offpolicy.crossed(reward=reward, arm=arm, arms=len(names), group=place)
    ways = {
        "standing": np.tile([standing[name] for name in names], (len(rows), 1)),
        "shares": np.tile([shares[name] for name in names], (len(rows), 1)),
        "equal": np.full((len(rows), len(names)), 1 / len(names)),
    }
    table = choosing.live_table(choosing.CVR if conversions else choosing.CTR)
    if ad.mode == AdCampaign.Mode.PERSON and table is not None:
        floor = ad.floor_percent / 100
        ways["person"] = np.array(
            [
                features.suited(
                    [table.chance(Facts(int(name), *row[1:8])) for name in names], floor=floor
                )
                for row in rows
            ]
        )
    found = {}
    for way, wanted in ways.items():
        weight = offpolicy.weights(wanted=wanted[np.arange(len(arm)), arm], had=had)
        robust = offpolicy.dr(reward=reward, weight=weight, said=said, policy=wanted, arm=arm)
        found[way] = {
            "value": robust.value, "low": robust.low, "high": robust.high, "rows": robust.rows,
            "ips": offpolicy.ips(reward=reward, weight=weight).value,
            "snips": offpolicy.snips(reward=reward, weight=weight).value,
        }  # fmt: skip
    return found
