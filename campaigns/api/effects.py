"""What campaigns caused, for integrators."""

import math
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.experiments import Lift
from campaigns.models import Campaign
from campaigns.recipients import holdouts
from campaigns.reporting import by_channel, costs, effects, everybody, readings, variants
from campaigns.reporting.effects import Answer, Effect
from marketing.core.api import View
from marketing.core.errors import NotFound


class LiftShape(serializers.Serializer):
    difference = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class AnswerShape(serializers.Serializer):
    treated = serializers.FloatField()
    control = serializers.FloatField()
    verdict = serializers.ChoiceField(
        choices=["alarm", "more", "less", "not_yet", "cannot_tell", "too_few"],
        help_text="more, less: proven; not_yet: days are to come; cannot_tell: they are over",
    )
    counts = LiftShape(help_text="the interval that counts now")
    every_look = LiftShape(help_text="holds on all days together")
    one_look = LiftShape(help_text="for one look, when the days are over")
    adjusted = LiftShape(allow_null=True, help_text="one look, with earlier orders taken out")
    variance_left = serializers.FloatField()
    smallest = serializers.FloatField(allow_null=True)


class VariantShape(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    hour = serializers.IntegerField(
        allow_null=True, help_text="of people's own clocks; null: when the campaign went out"
    )
    people = serializers.IntegerField()
    sent = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    ordered = serializers.IntegerField()
    later = serializers.IntegerField()
    chance_to_be_best = serializers.FloatField()
    against_held_out = LiftShape(allow_null=True)
    p = serializers.FloatField(help_text="against the held out, all variants looked at together")


class EffectShape(serializers.Serializer):
    people = serializers.IntegerField()
    held_out = serializers.IntegerField()
    until = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    over = serializers.BooleanField()
    sample_ratio_p = serializers.FloatField()
    sample_ratio_alarm = serializers.BooleanField()
    orders = AnswerShape(help_text="shares of people who ordered")
    money = AnswerShape(help_text="money a head")
    caused = LiftShape(help_text="money from everybody together")
    cost = serializers.DecimalField(max_digits=14, decimal_places=4)
    roi = LiftShape(allow_null=True, help_text="(caused − cost) / cost")


class WayShape(serializers.Serializer):
    channel = serializers.CharField()
    people = serializers.IntegerField()
    forced = serializers.IntegerField(help_text="whom no other channel of the send reached")
    sent = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    waiting = serializers.IntegerField()
    clicked = serializers.IntegerField(
        allow_null=True, help_text="by people; null where nobody sees clicks"
    )
    cost = serializers.DecimalField(max_digits=14, decimal_places=4)
    lacks = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="of people whom no channel reached, why not by this one",
    )


class SetVariantShape(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    channel = serializers.CharField()
    people = serializers.IntegerField()
    counted = serializers.IntegerField(help_text="who had a day to answer")
    answered = serializers.IntegerField()
    chance_to_be_best = serializers.FloatField()
    against_held_out = LiftShape(allow_null=True)
    p = serializers.FloatField()


class ChannelSetShape(serializers.Serializer):
    reach = serializers.ListField(child=serializers.CharField())
    held = serializers.IntegerField()
    variants = SetVariantShape(many=True)


class ChannelsShape(serializers.Serializer):
    metric = serializers.ChoiceField(choices=["clicked", "ordered"])
    unreached = serializers.IntegerField(help_text="whom none of the channels reached")
    channels = WayShape(many=True)
    sets = ChannelSetShape(
        many=True, help_text="people whom the same channels reach; whoever had no choice is in none"
    )


_OF_WAY = tuple(name for name in WayShape().get_fields() if name != "lacks")


class CampaignEffectShape(serializers.Serializer):
    effect = EffectShape(allow_null=True, help_text="null when nobody was held out")
    variants = VariantShape(many=True, help_text="none of a send by several channels")
    channels = ChannelsShape(
        allow_null=True, help_text="null for one channel, and where counting takes too long"
    )
    rounds = serializers.ListField(child=serializers.DictField())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def lift_body(lift: Lift) -> dict[str, Any]:
    return {
        "difference": lift.difference,
        "low": _finite(lift.low),
        "high": _finite(lift.high),
    }


def _answer_body(answer: Answer) -> dict[str, Any]:
    return {
        "treated": answer.plain.treated,
        "control": answer.plain.control,
        "verdict": answer.verdict,
        "counts": lift_body(answer.judged),
        "every_look": lift_body(answer.always),
        "one_look": lift_body(answer.plain),
        "adjusted": lift_body(answer.adjusted) if answer.adjusted else None,
        "variance_left": answer.left,
        "smallest": answer.smallest,
    }


def effect_body(effect: Effect) -> dict[str, Any]:
    """How an effect looks to an integrator."""
    return {
        "people": effect.mailed,
        "held_out": effect.held,
        "until": effect.until,
        "ends_at": effect.ends_at,
        "over": effect.over,
        "sample_ratio_p": effect.balance.p,
        "sample_ratio_alarm": effect.balance.alarm,
        "orders": _answer_body(effect.orders),
        "money": _answer_body(effect.money),
        "caused": lift_body(effect.caused),
        "cost": effect.cost,
        "roi": lift_body(effect.roi) if effect.roi else None,
    }


def _variant_body(row: variants.Row) -> dict[str, Any]:
    names = ("people", "sent", "opened", "clicked", "ordered")
    return {
        "key": row.key,
        "name": row.name,
        "hour": row.hour,
        **{name: getattr(row.tally, name) for name in names},
        "later": row.later,
        "chance_to_be_best": row.wins,
        "against_held_out": lift_body(row.lift) if row.lift else None,
        "p": row.p,
    }


def _channels_body(report: by_channel.Report) -> dict[str, Any]:
    return {
        "metric": report.metric,
        "unreached": report.unreached,
        "channels": [
            {**{name: getattr(way, name) for name in _OF_WAY}, "lacks": dict(way.lacks)}
            for way in report.ways
        ],
        "sets": [
            {
                "reach": list(group.channels),
                "held": group.held,
                "variants": [
                    {
                        "key": row.key,
                        "name": row.name,
                        "channel": row.channel,
                        "people": row.tally.people,
                        "counted": row.counted.n,
                        "answered": row.counted.converted,
                        "chance_to_be_best": row.wins,
                        "against_held_out": lift_body(row.lift) if row.lift else None,
                        "p": row.p,
                    }
                    for row in group.rows
                ],
            }
            for group in report.groups
        ],
    }


class CampaignEffect(View):
    scope_noun = "campaigns"

    @extend_schema(operation_id="campaigns_effect", responses=CampaignEffectShape)
    def get(self, request: Request, campaign_id: int) -> Response:
        """What the last send of a campaign caused, and its variants beside each other."""
        campaign = Campaign.objects.filter(pk=campaign_id).first()
        run = campaign.runs.order_by("-id").first() if campaign else None
        if campaign is None or run is None:
            raise NotFound(_("There is no such campaign that was sent."), code="campaign_unknown")
        read = readings.latest(run=run, now=timezone.now())
        held = float(run.snapshot.get("holdout_percent") or 0) / 100
        found = effects.of_arms(
            arms=read.arms,
            shares=(1 - held, held),
            until=read.until,
            ends_at=run.started_at + effects.WINDOW,
            cost=costs.total(campaign_id=campaign.pk, sent=read.sent(run)),
        )
        table = variants.of_run(run=run, arms=read.arms, now=timezone.now())
        ways = by_channel.of_run(run=run, now=timezone.now())
        return Response(
            {
                "effect": effect_body(found) if found else None,
                "variants": [_variant_body(row) for row in table.rows] if table else [],
                "channels": _channels_body(ways) if ways else None,
                "rounds": list(
                    run.rounds.values(
                        "number", "shares", "sets", "seen", "people", "reason", "policies", "at"
                    )
                ),
            }
        )


class HoldoutShape(serializers.Serializer):
    percent = serializers.FloatField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    effect = EffectShape(allow_null=True)


class Holdout(View):
    scope_noun = "campaigns"

    @extend_schema(operation_id="holdout_get", responses=HoldoutShape)
    def get(self, request: Request) -> Response:
        """The share of people kept out of every campaign, and what all campaigns cause."""
        holdout = holdouts.standing()
        read = readings.of_everybody(holdout=holdout) if holdout else None
        found = everybody.effect(holdout=holdout, read=read) if holdout and read else None
        return Response(
            {
                "percent": holdout.percent if holdout else None,
                "since": holdout.since if holdout else None,
                "effect": effect_body(found) if found else None,
            }
        )
