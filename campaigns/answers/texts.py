"""People who write back: STOP ends every text to their number, START lets them come again.

A word counts once by the name its provider gives it, so one that comes twice, or late, undoes
nothing that was said after it. Whatever changed something is answered once.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import orjson
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.messaging import keywords
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Outgoing, Reply, Unreachable
from campaigns.models import Channel, Message, Returned
from ingestion import consent
from ingestion.models import Customer
from ingestion.preprocess import values
from marketing.core import brand

logger = logging.getLogger(__name__)

# An answer that comes later than this surprises more than it helps.
ANSWER_WITHIN = timedelta(hours=1)
SOURCES = {"stop": "sms_stop", "start": "sms_start"}


def hear(*, channel: Channel, replies: Sequence[Reply], now: datetime) -> tuple[int, int, int]:
    """Act on what people wrote; how many words were new, known already, and none of ours."""
    counts = [0, 0, 0]
    for reply in replies:
        word = keywords.meaning(reply.text)
        number = values.phone(reply.address)[0]
        if not word or not number:
            counts[2] += 1
            continue
        counts[0 if _act(channel, reply, word, number, now) else 1] += 1
    return counts[0], counts[1], counts[2]


def _act(channel: Channel, reply: Reply, word: str, number: str, now: datetime) -> bool:
    people = list(Customer.objects.filter(phone=number).values_list("pk", flat=True))
    last = (
        Message.objects.filter(customer_id__in=people, channel="sms", address=number)
        .exclude(claimed_at=None)
        .order_by("-claimed_at")
        .first()
    )
    mark = blake2b(f"{channel.public_id}\n{reply.ref}".encode(), digest_size=24).hexdigest()
    with transaction.atomic():
        row, is_new = Returned.objects.get_or_create(
            mark=mark,
            defaults={
                "message": last,
                "kind": word,
                "source": channel.provider[:40],
                "at": reply.at,
            },
        )
        if not is_new:
            return False
        proof = {"sms": reply.ref[:200], "word": reply.text.strip()[:40], "channel": channel.pk}
        changed = (_stop if word == "stop" else _start)(
            people, number, proof, min(reply.at, now), now
        )
        if changed and last is not None and not reply.answered:
            row.answer_until = now + ANSWER_WITHIN
            row.save(update_fields=["answer_until"])
    return True


def _stop(people: list[int], number: str, proof: dict, at: datetime, now: datetime) -> bool:
    new = consent.suppress(addresses=[number], channel="sms", reason="unsubscribed", now=now)
    said = [consent.Answer(person, False, at, proof) for person in people]
    left = consent.record(answers=said, channel="sms", source=SOURCES["stop"], now=now)
    return bool(new or left)


def _start(people: list[int], number: str, proof: dict, at: datetime, now: datetime) -> bool:
    lifted = consent.lift(address=number, channel="sms", reasons=("unsubscribed",))
    said = [consent.Answer(person, True, at, proof) for person in people]
    joined = consent.record(answers=said, channel="sms", source=SOURCES["start"], now=now)
    return bool(lifted or joined)


def answer_due(*, now: datetime) -> int:
    """Tell people what became of their word, each once; how many texts the provider took.

    It is noted before it is sent: two answers would be worse than none.
    """
    sent = 0
    waiting = Returned.objects.filter(answer_until__isnull=False).select_related(
        "message__customer"
    )
    for row in waiting.order_by("pk")[:500]:
        if not Returned.objects.filter(pk=row.pk, answer_until=row.answer_until).update(
            answer_until=None
        ):
            continue  # somebody else is at it
        if row.message is None or row.answer_until is None or row.answer_until < now:
            continue
        line = registry.open(_channel_of(row), kind="sms")
        try:
            answer = line.send(
                Outgoing(row.mark[:32], "", row.message.address, _words(row, row.message))
            )
        except Unreachable as error:
            logger.warning("a word by SMS waits for its answer: %s", error)
            Returned.objects.filter(pk=row.pk).update(answer_until=row.answer_until)
        else:
            sent += answer.verdict == "sent"
        finally:
            line.close()
    return sent


def _channel_of(row: Returned) -> Channel | None:
    """The channel by which the word came, or the usual one when it is gone."""
    found = Channel.objects.filter(kind="sms", provider=row.source).order_by("-is_default", "pk")
    return found.first() or registry.find(kind="sms")


def _words(row: Returned, message: Message) -> bytes:
    language = message.customer.language or brand.now().language
    with translation.override(language if translation.check_for_language(language) else "en"):
        text = (
            _("%(shop)s: you get no more texts from us. Answer START to get them again.")
            if row.kind == Returned.Kind.STOP
            else _("%(shop)s: you get our texts again. Answer STOP to end them.")
        ) % {"shop": brand.now().name}
    return orjson.dumps({"text": text})
