"""Consent for integrators: what people answered, per channel and purpose, with its proof."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import consent, intake
from ingestion.api import batches, shapes
from ingestion.identity import identify
from ingestion.models import Consent, ConsentText
from marketing.core.api import View
from marketing.core.errors import Invalid

NAMES = ("external_id", "email", "phone")
FIELDS = (
    *NAMES,
    "channel",
    "purpose",
    "granted",
    "at",
    "expires_at",
    "method",
    "text_version",
    "text_language",
    "source",
    "proof",
)
UPDATED, UNCHANGED = "updated", "unchanged"


class Item(NamedTuple):
    """One answer of one person, before we know who that is."""

    person: identify.Person
    channel: str
    purpose: str
    source: str
    granted: bool
    at: datetime | None
    expires_at: datetime | None
    method: str
    text: tuple[str, str, int] | None
    proof: dict[str, Any]


def body_of(row: Consent) -> dict[str, Any]:
    return {
        "id": row.pk,
        "customer": row.customer.external_id or row.customer.email,
        "channel": row.channel,
        "purpose": row.purpose,
        "granted": row.granted,
        "at": row.at,
        "expires_at": row.expires_at,
        "method": row.method,
        "text_version": row.text.version if row.text else None,
        "source": row.source,
        "proof": row.proof,
        "current": row.current,
    }


def read(body: Any, *, now: datetime) -> Item:
    """An answer; somebody is named, and a yes brings its proof."""
    if not isinstance(body, dict):
        raise Invalid(_("Send a JSON object."), code="not_an_object", field="")
    unknown = sorted(set(body) - set(FIELDS))
    if unknown:
        raise _wrong(unknown[0][:60], _("There is no field of this name."), "unknown_field")
    person = intake.customer({n: body[n] for n in NAMES if n in body}, now=now).person
    channel = _word(body, "channel", "email")
    if channel not in consent.CHANNELS:
        raise _wrong("channel", _("The channel is email, sms or push."), "unknown_channel")
    purpose = _word(body, "purpose", "marketing")
    if not consent.is_purpose(purpose):
        raise _wrong("purpose", _("There is no such purpose."), "unknown_purpose")
    method = _word(body, "method", "api")
    if method not in consent.METHODS:
        raise _wrong(
            "method",
            _("The method is one of %(names)s.") % {"names": ", ".join(consent.METHODS)},
            "unknown_method",
        )
    granted = body.get("granted")
    if not isinstance(granted, bool):
        raise _wrong("granted", _("Say granted: true or false."), "not_yes_or_no")
    # The reader of people knows what proof may hold, and in which words it is refused.
    proof = body.get("proof")
    try:
        intake.customer({"external_id": "proof", "attributes": proof}, now=now)
    except Invalid as fault:
        raise _wrong("proof", fault.message, fault.code) from None
    if granted and not proof:
        raise _wrong(
            "proof", _("Consent needs proof: when and how the person agreed."), "proof_missing"
        )
    return Item(
        person=person,
        channel=channel,
        purpose=purpose,
        source=_word(body, "source", batches.SOURCE),
        granted=granted,
        at=_moment(body, "at"),
        expires_at=_moment(body, "expires_at"),
        method=method,
        text=_text(body, purpose),
        proof=proof or {},
    )


def store(*, items: Mapping[int, Item], now: datetime) -> dict[int, Any]:
    """Keep the answers in one transaction: what became of each, or the fault of it."""
    texts = _texts(items)
    outcomes: dict[int, Any] = {
        index: _wrong("text_version", _("There is no such text."), "unknown_text")
        for index, item in items.items()
        if item.text is not None and item.text not in texts
    }
    good = {index: item for index, item in items.items() if index not in outcomes}
    by_source: dict[str, list[int]] = {}
    for index, item in good.items():
        by_source.setdefault(item.source, []).append(index)
    with transaction.atomic():
        for source, indexes in sorted(by_source.items()):
            ids = identify.resolve(
                people=[good[index].person for index in indexes], source=source, now=now
            )
            told: dict[tuple[str, str], list[tuple[int, consent.Answer]]] = {}
            for index, customer_id in zip(indexes, ids, strict=True):
                if customer_id is None:
                    continue
                item = good[index]
                answer = consent.Answer(
                    customer_id,
                    item.granted,
                    item.at or now,
                    item.proof,
                    item.method,
                    # Without its own moment a yes tells nothing about a no that came since.
                    dated=item.at is not None,
                    expires_at=item.expires_at,
                    text_id=texts[item.text] if item.text else None,
                )
                told.setdefault((item.channel, item.purpose), []).append((index, answer))
            for (channel, purpose), answers in sorted(told.items()):
                changed = consent.record(
                    answers=[answer for _index, answer in answers],
                    channel=channel,
                    purpose=purpose,
                    source=source,
                    now=now,
                )
                for index, answer in answers:
                    outcomes[index] = UPDATED if answer.customer_id in changed else UNCHANGED
    return outcomes


class ConsentList(View):
    scope_noun = "consents"
    lists_people = True

    @extend_schema(
        operation_id="consents_list",
        responses=shapes.ConsentOut(many=True),
        parameters=[
            OpenApiParameter("limit", int),
            OpenApiParameter("customer", str),
            OpenApiParameter("channel", str),
            OpenApiParameter("purpose", str),
            OpenApiParameter("current", bool),
        ],
    )
    def get(self, request: Request) -> Response:
        """Every answer ever given, newest first; `?current=true` leaves those that count."""
        rows = Consent.objects.select_related("customer", "text")
        query = request.query_params
        if customer := query.get("customer"):
            rows = rows.filter(customer__external_id=customer)
        for name in ("channel", "purpose"):
            if value := query.get(name):
                rows = rows.filter(**{name: value})
        current = query.get("current", "false").lower()
        if current not in ("true", "false", "1", "0"):
            raise _wrong("current", _("This must be true or false."), "not_yes_or_no")
        if current in ("true", "1"):
            rows = rows.filter(current=True)
        return self.paginate(rows, body_of)

    @extend_schema(
        operation_id="consents_write",
        **shapes.batch("ConsentsWritten", shapes.ConsentIn, shapes.ItemResult),
    )
    def post(self, request: Request) -> Response:
        """Keep one answer or up to 1,000; an answer that was sent before changes nothing."""
        now = timezone.now()
        items, many = batches.items_of(request.data)
        good, results = batches.read_all(items, lambda item: read(item, now=now))
        if not many:
            batches.refuse_single(results[0])
        for index, outcome in store(items=good, now=now).items():
            if isinstance(outcome, Invalid):
                results[index] |= {"status": "invalid", "error": batches.error_of(outcome)}
            else:
                results[index]["status"] = outcome
        if many:
            return batches.answer(results)
        batches.refuse_single(results[0])
        return Response(results[0], status=201 if results[0]["status"] == UPDATED else 200)


def _texts(items: Mapping[int, Item]) -> dict[tuple[str, str, int], int]:
    wanted = {item.text for item in items.values() if item.text is not None}
    if not wanted:
        return {}
    rows = ConsentText.objects.filter(purpose__in={purpose for purpose, _l, _v in wanted})
    return {(row.purpose, row.language, row.version): row.pk for row in rows}


def _text(body: Mapping[str, Any], purpose: str) -> tuple[str, str, int] | None:
    version = body.get("text_version")
    if version is None:
        return None
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version < 2**31:
        raise _wrong("text_version", _("This must be a whole number."), "not_whole")
    return purpose, _word(body, "text_language", "en"), version


def _word(body: Mapping[str, Any], name: str, default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= 100 or "\0" in value:
        raise _wrong(name, _("This is a text of up to 100 characters."), "not_text")
    return value.strip()


def _moment(body: Mapping[str, Any], name: str) -> datetime | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 <= found.year < 9999:
        raise _wrong(name, _("Write the time as 2026-01-31T09:30:00Z."), "not_a_date")
    return found


def _wrong(field: str, message: str, code: str) -> Invalid:
    return Invalid(message, code=code, field=field)
