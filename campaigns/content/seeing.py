"""A message before it is sent: as one person gets it, and as many of a segment would."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.messaging import addresses, contents, context, occasions, rendering, wording
from campaigns.models import Segment
from campaigns.segments import compile as compiler
from campaigns.segments import membership
from campaigns.segments.rules import RuleFault
from ingestion.models import Customer

CLIPPED_BYTES = 102_000
SAMPLE = 200
FEW = 8
# About what a phone and a desktop mailbox show of a subject.
PHONE_SUBJECT, DESKTOP_SUBJECT = 38, 70


@dataclass(frozen=True)
class Preview:
    """A message as one person would see it, or the reason why it would not be sent."""

    customer: Customer | None
    subject: str = ""
    html: str = ""
    text: str = ""
    fault: str = ""
    missing: str = ""

    @property
    def bytes(self) -> int:
        return len(self.html.encode())

    @property
    def kilobytes(self) -> int:
        return (self.bytes + 512) // 1024


@dataclass(frozen=True)
class Failure:
    """Somebody who would get nothing, and why; `missing` is the value they lack."""

    customer_id: int
    name: str
    why: str
    missing: str = ""


@dataclass(frozen=True)
class Trial:
    """How a message fares with some of the people it is meant for."""

    tried: int
    failures: tuple[Failure, ...] = ()

    @property
    def missing(self) -> list[tuple[str, int]]:
        """The values that are missing, with how many people lack them; most first."""
        return Counter(f.missing for f in self.failures if f.missing).most_common()


def people() -> list[Customer]:
    """A few people to look at a mail as: with orders first, then anybody."""
    bought = Customer.objects.filter(rollup__orders__gt=0).order_by("-rollup__last_order_at")
    return list(bought[:FEW]) or list(Customer.objects.order_by("id")[:FEW])


def named(text: str) -> list[Customer]:
    """People found by their own number, the beginning of their address, or of a name."""
    text = text.strip()
    if not text:
        return people()
    begins = Q(email__startswith=text.lower()) | Q(external_id=text)
    begins |= Q(first_name__istartswith=text) | Q(last_name__istartswith=text)
    return list(Customer.objects.filter(begins).order_by("id")[:FEW])


def sample(*, segment_id: int, number: int = SAMPLE) -> list[Customer]:
    """Some of a segment's people, the same ones each time; empty when it cannot be read."""
    segment = Segment.objects.filter(pk=segment_id).first()
    if segment is None:
        return []
    try:
        return membership.sample(compiler.read(segment.rule), number=number)
    except RuleFault:
        return []


def _compile(said: Mapping[str, Any]) -> rendering.Compiled:
    return rendering.Compiled(said["subject"], said["html"], said["text"])


def preview(*, parts: Mapping[str, Any], customer_id: int | None) -> Preview:
    """Render a message for one person in their language, links inert."""
    customer = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    if customer is None:
        customer = next(iter(people()), None)
    if customer is None:
        return Preview(None, fault=_("There are no people yet. Import some to see this mail."))
    return tried(parts=parts, people=[customer], event_of=customer.pk)[1]


def trial(*, parts: Mapping[str, Any], people: Sequence[Customer]) -> Trial:
    """Render a message for each of these people and keep who would be left out."""
    return tried(parts=parts, people=people)[0]


def tried(
    *, parts: Mapping[str, Any], people: Sequence[Customer], event_of: int | None = None
) -> tuple[Trial, Preview]:
    """How a message fares with these people, and how the first of them would see it.

    An event that it speaks of is the newest of `event_of`, or of anybody.
    """
    first = people[0] if people else None
    try:
        compiled, others = contents.in_languages(parts, _compile)
    except rendering.TemplateRefused as refusal:
        return Trial(0), Preview(first, fault=wording.said(refusal))
    wants = compiled.wants.union(*(other.wants for other in others.values()))
    values = context.build(customer_ids=[person.pk for person in people], wants=wants)
    links, failures = addresses.of_preview(), []
    links |= occasions.sample(wants=wants, customer_id=event_of)
    seen = Preview(first)
    for person in people:
        facts = values[person.pk]
        try:
            said = contents.in_language_of(facts, compiled, others).render({**facts, **links})
        except rendering.RenderError as error:
            failures.append(
                Failure(person.pk, str(person), wording.said(error), error.variable or "")
            )
            if person is first:
                seen = Preview(first, fault=wording.said(error), missing=error.variable or "")
        else:
            if person is first:
                seen = Preview(first, said.subject, said.html, said.text)
    return Trial(len(people), tuple(failures)), seen


def fault_page(why: str) -> str:
    """A small page in place of a mail that cannot be shown."""
    return (
        "<!doctype html><html lang='en'><head><title>-</title></head>"
        "<body style='font:16px/1.5 Georgia,serif;color:#3b352c;padding:40px'>"
        f"<p>{escape(why)}</p></body></html>"
    )


@dataclass(frozen=True)
class Check:
    """Something about a mail that is as it should be, or is not."""

    good: bool
    text: str


_PICTURE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_DESCRIBED = re.compile(r"\balt\s*=\s*(\"[^\"]+\"|'[^']+')", re.IGNORECASE)


def checks(made: Mapping[str, Any]) -> list[Check]:
    """What a careful reader looks at before a mail goes out; what must be is checked at save."""
    pictures = _PICTURE.findall(made["html"])
    bare = sum(1 for tag in pictures if not _DESCRIBED.search(tag))
    found = [Check(True, _("Unsubscribe link is present"))]
    if pictures:
        found.append(
            Check(False, _("Pictures without a description: %(n)d") % {"n": bare})
            if bare
            else Check(True, _("All pictures have descriptions"))
        )
    if not made["preheader"]:
        found.append(Check(False, _("No preview line: mailboxes show the first words instead")))
    return found


def anybody(*, number: int = SAMPLE) -> list[Customer]:
    """Some people of the shop, whoever they are."""
    return list(Customer.objects.order_by("id")[:number])
