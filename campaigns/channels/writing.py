"""Templates of messages that are not mails: written in a form, checked when they are saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.content import history, saving
from campaigns.messaging import addresses, context, occasions, parts, rendering, sms, wording
from campaigns.models import Channel, Template
from ingestion.models import Customer
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

KINDS = tuple(parts.PARTS)


@dataclass(frozen=True)
class Seen:
    """A message as one person would get it, or the reason why they would not."""

    customer: Customer | None
    said: Mapping[str, Any] = field(default_factory=dict)
    count: sms.Count | None = None
    fault: str = ""


_NOTE = {
    "title": gettext_lazy('New in, {{ first_name|default("picked for you") }}'),
    "body": gettext_lazy("A few things we think you will like."),
    "url": "",
    "icon": "",
}
BEGINS: Mapping[str, Mapping[str, Any]] = {
    "sms": {"text": gettext_lazy("{{ shop_name }}: something new is in. Reply STOP to end.")},
    "push": _NOTE,
    "inbox": _NOTE,
    "webhook": {
        "url": "",
        "body": '{\n  "email": "{{ email }}",\n  "orders": "{{ orders }}"\n}',
    },
}


def starter(kind: str) -> dict[str, str]:
    """What a new message begins with."""
    begin = {name: str(text) for name, text in BEGINS[kind].items()}
    return {"name": str(Channel.Kind(kind).label), **begin}


def written(kind: str, form: Mapping[str, str]) -> dict[str, str]:
    """The parts as a form holds them, with plain line ends."""
    names = ("name", *parts.PARTS[kind])
    return {name: form.get(name, "").replace("\r\n", "\n") for name in names}


def _compiled(kind: str, said: Mapping[str, str]) -> parts.Compiled:
    try:
        made = parts.Compiled(kind, said)
    except rendering.TemplateRefused as refusal:
        raise Invalid(
            wording.said(refusal), code="bad_template", field=_field_of(kind, str(refusal))
        ) from None
    if bad := context.unknown(made.wants):
        raise Invalid(
            _("There is no value called %(name)s.") % {"name": ", ".join(bad[:3])},
            code="bad_template",
            field=parts.NEEDED[kind],
            remedy=_("Use one of: %(names)s.")
            % {"names": ", ".join(f.name for f in context.FIELDS)},
        )
    if gone := context.gone(made.wants):
        raise Invalid(
            _("There is no plan of offers with the key “%(key)s”.") % {"key": gone[0]},
            code="bad_template",
            field=parts.NEEDED[kind],
            remedy=_("Choose another plan, or the newest one."),
        )
    return made


def _check_alike(made: parts.Compiled) -> None:
    """Refuse a message that is the same for everybody and can be sent to nobody."""
    try:
        made.render(addresses.of_preview())
    except rendering.RenderError as error:
        raise Invalid(
            _("Nobody could be sent this: %(why)s.") % {"why": wording.said(error)},
            code="bad_template",
            field=error.part,
        ) from None


def _field_of(kind: str, why: str) -> str:
    if "address" in why and "url" in parts.PARTS[kind]:
        return "url"
    return parts.NEEDED[kind]


def save(
    *,
    kind: str,
    template_id: int | None,
    values: Mapping[str, str],
    user: User | ApiKey | None,
    now: datetime,
    restored: int | None = None,
) -> Template:
    """Keep a message. A run that has begun keeps the version it began with."""
    author = user if isinstance(user, User) else None
    name = " ".join(values.get("name", "").split())
    if not name:
        raise Invalid(_("Give the template a name."), code="bad_template", field="name")
    if kind not in KINDS:
        raise NotFound(_("There is no such kind of message."), code="unknown_kind")
    said = {part: values.get(part, "").strip() for part in parts.PARTS[kind]}
    made = _compiled(kind, said)
    if not made.wants:
        _check_alike(made)
    with transaction.atomic():
        row = (
            Template(kind=kind, version=0, created_by=author, created_at=now)
            if template_id is None
            else Template.objects.select_for_update().filter(pk=template_id, kind=kind).first()
        )
        if row is None:
            raise NotFound(_("There is no such template."), code="template_unknown")
        if template_id is not None:
            history.keep_first(row)
        row.name, row.parts = name[:120], said
        row.subject = " ".join(said.get("text", said.get("title", "")).split())[:300]
        saving.store(row, user=user, now=now, restored=restored)
    return row


def people() -> list[Customer]:
    """A few people to look at a message as: whoever ordered last first."""
    return list(Customer.objects.order_by("-rollup__last_order_at", "id")[:8])


def preview(*, kind: str, values: Mapping[str, str], customer_id: int | None) -> Seen:
    """What one person would get."""
    person = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    person = person or next(iter(people()), None)
    try:
        made = _compiled(kind, values)
    except Invalid as refusal:
        return Seen(person, fault=str(refusal).rstrip(".。"))
    if person is None:
        return Seen(None, fault=_("There are no people yet. Import some to see this message."))
    known = context.build(customer_ids=[person.pk], wants=made.wants)[person.pk]
    known |= occasions.sample(wants=made.wants, customer_id=person.pk)
    try:
        said = made.render({**known, **addresses.of_preview()})
    except rendering.RenderError as error:
        return Seen(person, fault=wording.said(error))
    read = orjson.loads(said.body)
    if kind == "webhook":
        read["body"] = orjson.dumps(read["body"], option=orjson.OPT_INDENT_2).decode()
    return Seen(person, read, sms.count(read["text"]) if kind == "sms" else None)
