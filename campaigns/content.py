"""Templates: written in MJML, made into HTML and text when saved, refused if they cannot work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from campaigns.messaging import addresses, context, layout, mime, rendering
from campaigns.models import Campaign, Template
from ingestion.models import Customer
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User

SUBJECT_LIMIT = 300
# Read as a file: Django's own template language must never see what marketers write.
STARTER = settings.BASE_DIR / "templates" / "email" / "starter.mjml"
CLIPPED_BYTES = 102_000


@dataclass(frozen=True)
class Preview:
    """A mail as one person would see it, or the reason why it would not be sent."""

    customer: Customer | None
    subject: str = ""
    html: str = ""
    text: str = ""
    fault: str = ""

    @property
    def kilobytes(self) -> int:
        return (len(self.html.encode()) + 512) // 1024


def starter() -> dict[str, str]:
    """What a new template begins with."""
    return {
        "name": _("Picked for you"),
        "subject": _('{{ first_name|default("Hello") }}, picked for you at {{ shop_name }}'),
        "preheader": _("A few things we think you will like, chosen from what you bought."),
        "mjml": STARTER.read_text(encoding="utf-8"),
    }


def _refuse(field: str, why: object, remedy: str | None = None) -> Invalid:
    return Invalid(str(why), code="bad_template", field=field, remedy=remedy)


def written(form: Mapping[str, str]) -> dict[str, str]:
    """The four parts of a template as a form holds them, with plain line ends."""
    return {
        name: form.get(name, "").replace("\r\n", "\n")
        for name in ("name", "subject", "preheader", "mjml")
    }


def build(*, subject: str, preheader: str, mjml: str) -> tuple[str, str]:
    """HTML and text of a template; Invalid with the field at fault."""
    subject, preheader = subject.strip(), preheader.strip()
    mjml = mjml.replace("\r\n", "\n")
    if not subject:
        raise _refuse("subject", _("Write a subject line."))
    if len(subject) > SUBJECT_LIMIT or len(preheader) > SUBJECT_LIMIT:
        raise _refuse("subject", _("Subject and preview line have at most 300 characters each."))
    for field, value in (("subject", subject), ("preheader", preheader)):
        try:
            mime.check_line(field, value)
            wants = rendering.variables(value)
        except mime.HeaderRefused:
            raise _refuse(field, _("This must be one line of text.")) from None
        except rendering.TemplateRefused as refusal:
            raise _refuse(field, refusal) from None
        _check_names(field, wants)
    try:
        _check_names("mjml", rendering.variables(layout.expand_products(mjml)))
        html = layout.compile_mjml(mjml, preheader=preheader)
        rendering.check_html(html)
        text = layout.text_from(html)
        rendering.Compiled(subject, html, text, addresses.signer())
    except (layout.LayoutRefused, rendering.TemplateRefused) as refusal:
        raise _refuse("mjml", refusal) from None
    if "unsubscribe_url" not in rendering.variables(html):
        raise _refuse(
            "mjml",
            _("The mail has no unsubscribe link."),
            _('Add a link such as <a href="{{ unsubscribe_url }}">Unsubscribe</a>.'),
        )
    return html, text


def _check_names(field: str, wants: frozenset[str]) -> None:
    if bad := context.unknown(wants):
        raise _refuse(
            field,
            _("There is no value called %(name)s.") % {"name": ", ".join(bad[:3])},
            _("Use one of: %(names)s.") % {"names": ", ".join(f.name for f in context.FIELDS)},
        )


def save(
    *,
    template_id: int | None = None,
    name: str,
    subject: str,
    preheader: str,
    mjml: str,
    user: User | ApiKey | None,
    now: datetime,
) -> Template:
    """Store a template, compiled. A run that has begun keeps the version it began with."""
    if not name.strip():
        raise _refuse("name", _("Give the template a name."))
    html, text = build(subject=subject, preheader=preheader, mjml=mjml)
    with transaction.atomic():
        if template_id is None:
            template = Template(version=0, created_by=user if isinstance(user, User) else None)
            template.created_at = now
        else:
            found = Template.objects.select_for_update().filter(pk=template_id).first()
            if found is None:
                raise NotFound(_("There is no such template."), code="template_unknown")
            template = found
        template.name, template.subject = name.strip()[:120], subject.strip()
        template.preheader, template.mjml = preheader.strip(), mjml
        template.html, template.text = html, text
        template.version += 1
        template.updated_at = now
        template.save()
        audit.record(
            actor=user,
            action="template.saved",
            obj=template,
            detail={"version": template.version},
        )
    return template


def keep(
    *,
    template_id: int | None,
    campaign_id: int,
    values: Mapping[str, str],
    user: User | ApiKey | None,
    now: datetime,
) -> Template:
    """The template a campaign goes on with; one that others use is copied before a change."""
    stored = Template.objects.filter(pk=template_id).first() if template_id else None
    if stored is not None:
        if all(getattr(stored, name) == value for name, value in values.items()):
            return stored
        if Campaign.objects.filter(template=stored).exclude(pk=campaign_id).exists():
            stored = None
    return save(template_id=stored.pk if stored else None, **values, user=user, now=now)


def delete(*, template_id: int, user: User | ApiKey | None) -> None:
    """Remove a template that no campaign uses."""
    with transaction.atomic():
        template = Template.objects.select_for_update().filter(pk=template_id).first()
        if template is None:
            raise NotFound(_("There is no such template."), code="template_unknown")
        if Campaign.objects.filter(template=template).exists():
            raise Conflict(
                _("A campaign uses this template, so it was kept."), code="template_in_use"
            )
        audit.record(actor=user, action="template.deleted", obj=template)
        template.delete()


def people() -> list[Customer]:
    """A few people to look at a mail as: with orders first, then anybody."""
    bought = Customer.objects.filter(rollup__orders__gt=0).order_by("-rollup__last_order_at")
    return list(bought[:8]) or list(Customer.objects.order_by("id")[:8])


def preview(*, parts: Mapping[str, Any], customer_id: int | None) -> Preview:
    """Render `parts` (subject, html, text) for one person, links inert."""
    customer = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    if customer is None:
        customer = next(iter(people()), None)
    if customer is None:
        return Preview(None, fault=_("There are no people yet. Import some to see this mail."))
    try:
        compiled = rendering.Compiled(parts["subject"], parts["html"], parts["text"])
        values = context.build(customer_ids=[customer.pk], wants=compiled.wants)[customer.pk]
        mail = compiled.render({**values, **addresses.of_preview()})
    except (rendering.TemplateRefused, rendering.RenderError) as error:
        return Preview(customer, fault=str(error))
    return Preview(customer, mail.subject, mail.html, mail.text)


@dataclass(frozen=True)
class Failure:
    """Somebody who would get no mail, and why."""

    customer_id: int
    name: str
    why: str


@dataclass(frozen=True)
class Trial:
    """How a mail fares with some of the people it is meant for."""

    tried: int
    failures: tuple[Failure, ...] = ()


def trial(*, parts: Mapping[str, Any], people: Sequence[Customer]) -> Trial:
    """Render `parts` for each of these people and keep who would be left out."""
    try:
        compiled = rendering.Compiled(parts["subject"], parts["html"], parts["text"])
    except rendering.TemplateRefused:
        return Trial(0)
    values = context.build(customer_ids=[person.pk for person in people], wants=compiled.wants)
    links, failures = addresses.of_preview(), []
    for person in people:
        try:
            compiled.render({**values[person.pk], **links})
        except rendering.RenderError as error:
            failures.append(Failure(person.pk, str(person), str(error)))
    return Trial(len(people), tuple(failures))


def fault_page(why: str) -> str:
    """A small page in place of a mail that cannot be shown."""
    return (
        "<!doctype html><html lang='en'><head><title>-</title></head>"
        "<body style='font:16px/1.5 Georgia,serif;color:#3b352c;padding:40px'>"
        f"<p>{escape(why)}</p></body></html>"
    )


def listed() -> Any:
    """Templates with whether a campaign uses them."""
    return Template.objects.annotate(
        used=Exists(Campaign.objects.filter(template=OuterRef("pk")))
    ).order_by("-updated_at", "-id")
