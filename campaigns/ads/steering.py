"""The controller's rounds over rows: what today may cost, and how often to show until the next."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Sum

from campaigns.ads import pacing, purses, storing, tails
from campaigns.models import AdCampaign, AdDay, AdHour
from marketing.core import audit

State = AdCampaign.State
SHAPE_DAYS = 28
# A creative that was chosen and not shown by then will not be. Where clicks are paid for, those
# that come later are reckoned with by what was measured (`late`).
PROMISE = timedelta(hours=1)
MEASURED = timedelta(hours=1)
WEEK = timedelta(hours=tails.HOURS)
_FREE = """
WITH late AS (
    UPDATE campaigns_adchoice SET freed = true
    WHERE NOT freed AND at < %s RETURNING ad_id, day, price),
sums AS (SELECT ad_id, day, sum(price) AS price FROM late GROUP BY 1, 2 ORDER BY 1, 2)
UPDATE campaigns_adday d SET promised = greatest(d.promised - s.price, 0)
FROM sums s WHERE d.ad_id = s.ad_id AND d.day = s.day"""
_CAP = """
INSERT INTO campaigns_adday AS d (ad_id, day, cap, spent, promised) VALUES (%s, %s, %s, 0, 0)
ON CONFLICT (ad_id, day) DO UPDATE SET cap = excluded.cap
RETURNING d.spent, d.promised"""
# Clicks by the whole hours until they happened and until we were told of them (a week at the most,
# and not later than they happened where the impression was not told of in time either): of this
# campaign and of all, of impressions whose week is over, and of this one's at all.
_WAITS = f"""
SELECT floor(extract(epoch FROM c.at - c.cause_at) / 3600)::int || ':' ||
    least(floor(extract(epoch FROM CASE WHEN i.told_at < i.at + {storing.IN_TIME}
        THEN greatest(c.told_at, c.at) ELSE c.at END - c.cause_at) / 3600)::int, {tails.HOURS}),
    count(*) FILTER (WHERE c.ad_id = %(ad)s AND c.cause_at < %(ripe)s),
    count(*) FILTER (WHERE c.cause_at < %(ripe)s), count(*) FILTER (WHERE c.ad_id = %(ad)s)
FROM campaigns_adhit AS c LEFT JOIN campaigns_adhit AS i ON i.key = c.cause
WHERE c.kind = 2 AND c.at >= %(since)s AND c.at < %(now)s AND c.cause_at >= %(since)s
  AND c.at >= c.cause_at AND c.at - c.cause_at < %(week)s
GROUP BY 1"""


def steer_all(*, now: datetime) -> int:
    """Free what was promised and came to nothing by now, then decide for every running campaign."""
    with connection.cursor() as cursor:
        cursor.execute(_FREE, [now - PROMISE])
    purses.close(before=now.date() - timedelta(days=1))
    running = list(AdCampaign.objects.filter(state=State.RUNNING).values_list("pk", flat=True))
    for pk in running:
        with transaction.atomic():
            ad = AdCampaign.objects.select_for_update(no_key=True).get(pk=pk)
            if ad.state == State.RUNNING:
                steer(ad=ad, now=now)
    return len(running)


def today_of(ad: AdCampaign, now: datetime) -> date:
    """The day it is where the campaign's clock is."""
    return now.astimezone(ZoneInfo(ad.timezone)).date()


def shape_of(ad: AdCampaign, *, now: datetime) -> list[float]:
    """The hourly shape of the traffic in the campaign's placements, whoever advertised there."""
    local = ZoneInfo(ad.timezone)
    rows = (
        AdHour.objects.filter(
            placement__in=ad.placements.all(),
            hour__gte=now - timedelta(days=SHAPE_DAYS),
            hour__lt=now.replace(minute=0, second=0, microsecond=0),
        )
        .values_list("hour")
        .annotate(n=Sum("impressions"))
    )
    return pacing.shape([(hour.astimezone(local).hour, float(n)) for hour, n in rows if n])


def spent_before(ad: AdCampaign, day: date) -> float:
    """What the campaign cost until the day before."""
    found = AdDay.objects.filter(ad=ad, day__lt=day).aggregate(sum=Sum("spent"))["sum"]
    return float(found or 0)


def steer(*, ad: AdCampaign, now: datetime) -> pacing.Pace:
    """Decide for one campaign, whose row the caller has locked; what is decided is kept on it."""
    day = today_of(ad, now)
    if ad.state == State.RUNNING and day > ad.ends_on:
        ad.state = State.ENDED
        ad.save(update_fields=["state"])
        audit.record(actor=None, action="ad.ended", obj=ad)
    if ad.state != State.RUNNING or day < ad.starts_on:
        return _keep(ad, pacing.SHUT, day=day, now=now, cap=0.0, spent=0.0, gone=0.0)
    cap = pacing.due(
        left=float(ad.budget) - spent_before(ad, day),
        today=day,
        last=ad.ends_on,
        cap=float(ad.daily_cap) if ad.daily_cap is not None else None,
    )
    with connection.cursor() as cursor:
        cursor.execute(_CAP, [ad.pk, day, round(cap, 6)])
        row = cursor.fetchone()
    spent = float(row[0])
    kept: dict[str, Any] = ad.pace or {}
    click, tail = None, {"late": 0.0}
    if ad.pricing == AdCampaign.Pricing.CLICK:
        click = ad.price * Decimal(str(round(float(kept.get("bid") or 1.0), 6)))
        tail = late(ad, click=click, now=now)
    room = pacing.promisable(left=Decimal(str(round(cap, 6))) - row[0], click=click)
    if row[1] + Decimal(str(tail["late"])) > room:
        purses.gather(ad_id=ad.pk, day=day)
    plan = pacing.curve(day, ad.timezone, shape_of(ad, now=now))
    gone = pacing.gone_by(plan, now)
    same = kept.get("day") == day.isoformat()
    # A new day begins with what is known of the traffic and an open door.
    before = pacing.Pace.of_json(kept) if same else replace(pacing.OPEN, full=kept.get("full"))
    pace = pacing.control(
        before=before,
        cap=cap,
        spent=spent,
        newly=spent - (kept.get("spent") or 0.0) if same else spent,
        passed=gone - (kept.get("gone") or 0.0) if same else gone,
        gone=gone,
    )
    return _keep(ad, pace, day=day, now=now, cap=cap, spent=spent, gone=gone, tail=tail)


def late(ad: AdCampaign, *, click: Decimal, now: datetime) -> dict[str, Any]:
    """What today's clicks may still cost that we were not told of and whose impression keeps no
    price of today: {"late": money},
    and the delays that rests on, as they are kept with the pace and measured once an hour.
    """
    kept = (ad.pace or {}).get("waits") or {}
    if not kept or now - datetime.fromisoformat(kept["at"]) >= MEASURED:
        kept = {"at": now.isoformat(), "by": waits_of(ad, now=now)}
    waits = {_hours(name): float(n) for name, n in kept["by"].items()}
    midnight = _begins(ad, today_of(ad, now) + timedelta(days=1))
    today = _begins(ad, today_of(ad, now))
    rows = (
        AdHour.objects.filter(ad=ad, hour__gt=now - WEEK - PROMISE, hour__lte=now)
        .values_list("hour")
        .annotate(n=Sum("impressions"))
    )
    shown = [tails.Shown((now - hour) / PROMISE, float(n), hour >= today) for hour, n in rows]
    worth = tails.open_ones(
        shown=shown, waits=waits, gone=(now - today) / PROMISE, rest=(midnight - now) / PROMISE
    )
    seen = AdHour.objects.filter(ad=ad).aggregate(n=Sum("impressions"), clicks=Sum("clicks"))
    rate = pacing.highest_rate(clicks=int(seen["clicks"] or 0), n=int(seen["n"] or 0))
    return {"late": round(float(click) * rate * worth, 6), "waits": kept}


def waits_of(ad: AdCampaign, *, now: datetime) -> dict[str, int]:
    """How many clicks took how many whole hours to happen and to be told of, as "3:4": the
    campaign's own where enough of them had their week, else everybody's, else all its own.
    """
    values: dict[str, Any] = {
        "ad": ad.pk,
        "now": now,
        "since": now - timedelta(days=SHAPE_DAYS) - WEEK,
        "ripe": now - WEEK,
        "week": WEEK,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WAITS, values)
        rows = cursor.fetchall()
    sums = [sum(row[place] for row in rows) for place in (1, 2)]
    place = next((p for p, n in enumerate(sums, start=1) if n >= tails.LEAST), 3)
    return {row[0]: row[place] for row in rows if row[place]}


def _hours(name: str) -> tuple[int, int]:
    happened, _mark, told = name.partition(":")
    return int(happened), int(told or happened)


def _begins(ad: AdCampaign, day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(ad.timezone)).astimezone(UTC)


def _keep(
    ad: AdCampaign, pace: pacing.Pace, *, day: date, now: datetime, cap: float, spent: float,
    gone: float, tail: dict[str, Any] | None = None,
) -> pacing.Pace:  # fmt: skip
    ad.pace = {
        **(tail or {}), **pace.as_json(),
        "day": day.isoformat(), "at": now.isoformat(), "cap": round(cap, 6),
        "spent": round(spent, 6), "gone": round(gone, 6),
    }  # fmt: skip
    ad.save(update_fields=["pace"])
    return pace
