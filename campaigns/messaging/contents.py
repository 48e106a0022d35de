"""What a run sends, as it was when the run began, and how one person's copy of it is written.

A content has a key: the variant of a campaign, or step and variant of a journey. It is compiled
once, when the first message with that key is claimed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from campaigns.messaging import (
    addresses,
    bodies,
    languages,
    mime,
    parts,
    rendering,
    signing,
    tags,
    wording,
)
from campaigns.messaging.claims import Claimed
from campaigns.messaging.providers.base import Outgoing
from campaigns.models import Run
from campaigns.ways import WAYS
from ingestion import consent
from marketing.core import brand

MARKETING = "marketing"
T = TypeVar("T")
# Word to colleagues about somebody: no links are followed, and nobody can unsubscribe another.
STAFF = "staff"
# The medium that statistics of visits know a channel by.
MEDIUMS = {way.key: way.medium for way in WAYS.values() if way.medium}


class Ready(NamedTuple):
    """A claimed message with its bytes, on its way to one channel."""

    message: Claimed
    outgoing: Outgoing
    line: str = ""


class Unwritable(Exception):
    """This person's copy cannot be written. `reason` is a reason of a message."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def key_of(step: str, variant: str) -> str:
    """Under which key a message's content stands in its run."""
    return f"{step}:{variant}" if step else variant


def freeze(
    *,
    template: Any,
    sender: Mapping[str, str],
    channel: str = "email",
    channel_id: int | None = None,
    purpose: str = MARKETING,
    utm: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A content as a run keeps it. `channel_id` None means the default channel of its kind.

    `utm` is what its links carry, from `utm_of`.
    """
    said = ("subject", "html", "text") if channel == "email" else ("parts",)
    return {
        "channel": channel,
        "channel_id": channel_id,
        "purpose": purpose,
        "template": {
            "id": template.pk,
            "name": template.name,
            "version": template.version,
            **{name: getattr(template, name) for name in said},
            "languages": {
                language: {name: other[name] for name in said}
                for language, other in (getattr(template, "languages", None) or {}).items()
            },
        },
        **({"utm": dict(utm)} if utm else {}),
        **sender,
    }


def utm_of(
    *, own: Mapping[str, Any], channel: str, name: str, content: str = "", variant: str = ""
) -> dict[str, str] | None:
    """What the links of a content carry, or None: the author's words before the usual ones.

    `name` is the campaign's or the journey's, `content` the step's.
    """
    if channel not in MEDIUMS:
        return None
    usual = {
        "source": tags.slug(brand.now().name),
        "medium": MEDIUMS[channel],
        "campaign": tags.slug(name),
        "content": tags.slug(content),
    }
    return tags.merged(own=own, usual=usual, variant=variant)


def find(snapshot: Mapping[str, Any], *, step: str, variant: str) -> Mapping[str, Any] | None:
    """The content of a message in what its run keeps; None when the run has none such."""
    found: Mapping[str, Any] | None = snapshot.get("contents", {}).get(key_of(step, variant))
    return found


def in_languages(
    template: Mapping[str, Any], compile_one: Callable[[Mapping[str, Any]], T]
) -> tuple[T, dict[str, T]]:
    """A message compiled as it was first written, and in each of its other languages."""
    others = template.get("languages") or {}
    return compile_one(template), {name: compile_one(said) for name, said in others.items()}


def in_language_of(person: Mapping[str, Any], first: T, others: Mapping[str, T]) -> T:
    """The one this person reads."""
    if not others:
        return first
    language = languages.chosen(others, person.get("_language", ""))
    return others[language] if language else first


@dataclass
class Mail:
    """A mail, compiled; writes one person's copy at a time."""

    content: Mapping[str, Any]
    wants: frozenset[str] = field(init=False)
    common: bytes = field(init=False)

    def __post_init__(self) -> None:
        template = self.content["template"]
        self._to_person = self.content.get("purpose") != STAFF
        signer = addresses.signer() if self._to_person else None
        tagger = addresses.tagger(self.content.get("utm"))
        self._compiled, self._others = in_languages(
            template,
            lambda said: rendering.Compiled(
                said["subject"], said["html"], said["text"], signer, tagger
            ),
        )
        self._writer = mime.Writer(
            from_name=self.content["from_name"],
            from_email=self.content["from_email"],
            reply_to=self.content["reply_to"],
            signer=signing.of(self.content["from_email"]),
            fixed=set().union(*(said.fixed for said in (self._compiled, *self._others.values()))),
        )
        self.wants = self._compiled.wants.union(*(other.wants for other in self._others.values()))
        self.common = bodies.shared(template)

    def message_id(self, key: str) -> str:
        """The Message-ID of the mail with this key."""
        return self._writer.message_id(key)

    def write(self, message: Claimed, person: Mapping[str, Any], at: datetime) -> Outgoing:
        """The mail for one person. Unwritable when their values or their address do not fit."""
        links = addresses.of_message(message.key) if self._to_person else {"unsubscribe_url": ""}
        name = f"{person.get('first_name', '')} {person.get('last_name', '')}".strip()
        try:
            mail = in_language_of(person, self._compiled, self._others).render({**person, **links})
            data = self._writer.write(
                key=message.key,
                to=message.address,
                to_name=name if self._to_person else "",
                mail=mail,
                unsubscribe_url=str(links["unsubscribe_url"]),
                at=at,
            )
            recipient = mime.address("To", message.address)
        except rendering.RenderError as error:
            raise Unwritable("render", wording.said(error)) from None
        except mime.HeaderRefused as error:
            raise Unwritable("address", wording.said(error)) from None
        return Outgoing(message.key, self._writer.sender, recipient, data, mail.subject)


@dataclass
class Parts:
    """A message of another kind, compiled; writes one person's copy as JSON."""

    content: Mapping[str, Any]
    wants: frozenset[str] = field(init=False)
    common: bytes = field(init=False)

    def __post_init__(self) -> None:
        template = self.content["template"]
        kind, signer = self.content["channel"], addresses.signer()
        tagger = addresses.tagger(self.content.get("utm"))
        self._compiled, self._others = in_languages(
            template, lambda said: parts.Compiled(kind, said["parts"], signer, tagger)
        )
        self.wants = self._compiled.wants.union(*(other.wants for other in self._others.values()))
        self.common = bodies.shared(template)

    def write(self, message: Claimed, person: Mapping[str, Any], at: datetime) -> Outgoing:
        """The message for one person. Unwritable when their values do not fit."""
        try:
            compiled = in_language_of(person, self._compiled, self._others)
            said = compiled.render({**person, **addresses.of_message(message.key)})
        except rendering.RenderError as error:
            raise Unwritable("render", wording.said(error)) from None
        # Where there is no address of ours, the channel finds the person's own by their number.
        known = self.content["channel"] in consent.ADDRESSES
        recipient = message.address if known else str(message.customer_id)
        return Outgoing(message.key, "", recipient, said.body, said.subject)


Content = Mail | Parts


def compiled(content: Mapping[str, Any]) -> Content:
    """A content, ready to write copies. Unwritable when nobody can be written one."""
    try:
        return Mail(content) if content["channel"] == "email" else Parts(content)
    except (rendering.TemplateRefused, mime.HeaderRefused) as refusal:
        raise Unwritable("render", wording.said(refusal)) from None


def about(run: Run, step: str) -> dict[str, Any]:
    """What events about a message say of where it came from."""
    named: dict[str, Any] = {"run": run.pk}
    if run.campaign_id is not None:
        named["campaign"] = run.campaign_id
    if step:
        named["step"] = step
    return named
