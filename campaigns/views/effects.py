"""What the page of a campaign shows of its effect: numbers made ready to be drawn."""

from datetime import datetime
from typing import Any

from campaigns.experiments import Lift
from campaigns.models import Campaign, Run
from campaigns.reporting import by_channel, costs, effects, readings, variants, wording
from campaigns.reporting.effects import Answer, Effect
from campaigns.variants import rounds

# A cup is given to what leads by so much of a chance; half a chance is nobody's lead.
LEADS = 0.95


def panel(*, run: Run, now: datetime) -> dict[str, Any]:
    """Everything of the panel, from one reading of the sums."""
    assert run.campaign is not None
    read = readings.latest(run=run, now=now)
    held = float(run.snapshot.get("holdout_percent") or 0) / 100
    shares, ends_at = (1 - held, held), run.started_at + effects.WINDOW
    cost = costs.total(campaign_id=run.campaign_id, sent=read.sent(run))
    found = effects.of_arms(
        arms=read.arms, shares=shares, until=read.until, ends_at=ends_at, cost=cost
    )
    table = variants.of_run(run=run, arms=read.arms, now=now)
    if found is None and table is None:
        return {"spends": run.campaign.spends.all(), "cost": cost, "held": held}
    past = [
        one
        for kept in readings.history(run=run)
        if (
            one := effects.of_arms(arms=kept.arms, shares=shares, until=kept.until, ends_at=ends_at)
        )
        is not None
    ]
    return {
        "effect": found,
        "said": wording.headline(found) if found else None,
        "goal": run.snapshot.get("goal") or "",
        "questions": questions(found) if found else [],
        "days": wording.days(past),
        "roi": found.roi if found else None,
        "cost": cost,
        "spends": run.campaign.spends.all(),
        "variants": _variants(table) if table else None,
        "rounds": run.rounds.all() if table else [],
        "waiting": rounds.waiting(run=run) if table else 0,
        "held": held,
    }


def questions(effect: Effect) -> list[dict[str, Any]]:
    """Who ordered, and how much money came, each with both intervals."""
    return [
        _question(effect.orders, effect.over, share=True),
        _question(effect.money, effect.over, share=False),
    ]


def _question(answer: Answer, over: bool, *, share: bool) -> dict[str, Any]:
    tone, _kind = wording.VERDICTS[answer.verdict]
    shown = wording.points if share else wording.amount
    fixed = answer.plain if share or answer.adjusted is None else answer.adjusted
    widest = wording.widest([answer.plain, answer.always, fixed])

    def row(lift: Lift, kind: str, counts: bool) -> dict[str, Any]:
        return {
            "kind": kind,
            "counts": counts,
            "at": shown(lift.difference),
            "low": shown(lift.low),
            "high": shown(lift.high),
            "picture": wording.picture(lift, widest=widest),
        }

    rows = [row(answer.always, "always", not over)]
    if share:
        rows.append(row(answer.plain, "plain", over))
        if answer.adjusted is not None and answer.left < 0.999:
            rows.append(row(answer.adjusted, "adjusted", False))
    else:
        if answer.adjusted is not None:
            rows.append(row(answer.adjusted, "adjusted", over))
        rows.append(row(answer.plain, "plain", over and answer.adjusted is None))
    return {
        "share": share,
        "treated": answer.plain.treated,
        "control": answer.plain.control,
        "difference": shown(answer.judged.difference),
        "low": shown(answer.judged.low),
        "high": shown(answer.judged.high),
        "relative": answer.judged.relative,
        "verdict": wording.verdict(answer),
        "tone": tone,
        "rows": rows,
        "smallest": (shown(answer.smallest)[1:] if answer.smallest is not None else ""),
        "spared": 1 - answer.left,
    }


def _variants(table: variants.Table) -> dict[str, Any]:
    lifts = [row.lift for row in table.rows if row.lift]
    widest = wording.widest(lifts)
    best = max(row.wins for row in table.rows)
    return {
        "metric": table.metric,
        "hours": any(row.hour is not None for row in table.rows),
        "alarm": table.balance.alarm,
        "held": bool(lifts),
        "rows": [
            {
                "row": row,
                "best": row.wins == best and best >= LEADS,
                "at": wording.points(row.lift.difference) if row.lift else "",
                "low": wording.points(row.lift.low) if row.lift else "",
                "high": wording.points(row.lift.high) if row.lift else "",
                "picture": wording.picture(row.lift, widest=widest) if row.lift else None,
            }
            for row in table.rows
        ],
    }


def channel_group(group: by_channel.Group) -> dict[str, Any]:
    """People whom the same channels reach, made ready to be drawn."""
    lifts = [row.lift for row in group.rows if row.lift]
    widest = wording.widest(lifts)
    best = max(row.wins for row in group.rows)
    return {
        "group": group,
        "rows": [
            {
                "row": row,
                "best": row.wins == best and best >= LEADS,
                "at": wording.points(row.lift.difference) if row.lift else "",
                "low": wording.points(row.lift.low) if row.lift else "",
                "high": wording.points(row.lift.high) if row.lift else "",
                "picture": wording.picture(row.lift, widest=widest) if row.lift else None,
            }
            for row in group.rows
        ],
    }


def tried(*, campaign: Campaign) -> list[dict[str, Any]]:
    """The variants of a draft, with the share that each gets."""
    rows = list(campaign.variants.all())
    total = sum(row.weight for row in rows) or 1
    return [
        {"row": row, "share": row.weight / total, "said": row.template or campaign.template}
        for row in rows
    ]
