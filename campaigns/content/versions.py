"""Two versions of a template beside each other, and a former one brought back."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.channels import writing
from campaigns.content import history, inclusions, references, saving, translations
from campaigns.models import Channel, Template
from marketing.core.errors import NotFound
from marketing.core.models import ApiKey, User

_WORDS = re.compile(r"\s+|[^\s]+")
# What a message that is no mail is made of.
PARTS = {
    "text": gettext_lazy("Text"),
    "title": gettext_lazy("Title"),
    "body": gettext_lazy("Body"),
    "url": gettext_lazy("Address"),
    "icon": gettext_lazy("Picture"),
}
# Lines that are alike at least this much are shown as one line with changed words.
_ALIKE = 0.5


@dataclass(frozen=True)
class Line:
    """A line that came (+), went (-), or changed (~) with its words marked in the same way."""

    sign: str
    words: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Change:
    """What became different in one part of a template."""

    label: str
    lines: tuple[Line, ...]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between two versions, part by part; empty when nothing does."""
    old, new = dict(_parts(before)), dict(_parts(after))
    found = []
    for label in [*new, *(label for label in old if label not in new)]:
        lines = tuple(_lines(old.get(label, ""), new.get(label, "")))
        if lines:
            found.append(Change(label, lines))
    return found


def _parts(said: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    labels = {
        "name": _("Name"),
        "subject": _("Subject"),
        "preheader": _("Preview line"),
        "mjml": _("Body"),
    }
    for name, label in labels.items():
        if said.get(name):
            yield f"{within}{label}", said[name]
    for name, text in (said.get("parts") or {}).items():
        if text:
            yield f"{within}{PARTS.get(name, name)}", text
    for language, other in (said.get("languages") or {}).items():
        yield from _parts(other, f"{language} · ")


def _lines(old: str, new: str) -> Iterator[Line]:
    before, after = old.splitlines(), new.splitlines()
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for step, a, b, c, d in steps:
        if step == "equal":
            continue
        went, came = before[a:b], after[c:d]
        both = min(len(went), len(came))
        for one, other in zip(went[:both], came[:both], strict=True):
            yield from _line(one, other)
        yield from (Line("-", (("-", line),)) for line in went[both:])
        yield from (Line("+", (("+", line),)) for line in came[both:])


def _line(old: str, new: str) -> Iterator[Line]:
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < _ALIKE:
        yield Line("-", (("-", old),))
        yield Line("+", (("+", new),))
        return
    words: list[tuple[str, str]] = []
    for step, a, b, c, d in matcher.get_opcodes():
        if step == "equal":
            words.append(("", "".join(before[a:b])))
            continue
        if a < b:
            words.append(("-", "".join(before[a:b])))
        if c < d:
            words.append(("+", "".join(after[c:d])))
    yield Line("~", tuple(words))


def restore(
    *, template_id: int, number: int, user: User | ApiKey | None, now: datetime
) -> Template:
    """Bring back what a version said, as a new version. Invalid when it would not work today."""
    with transaction.atomic():
        template = Template.objects.filter(pk=template_id).first()
        if template is None:
            raise NotFound(_("There is no such template."), code="template_unknown")
        said = history.former(template, number)
        if template.kind != Channel.Kind.EMAIL:
            return writing.save(
                kind=template.kind,
                template_id=template_id,
                values={**said["parts"], "name": said["name"]},
                user=user,
                now=now,
                restored=number,
            )
        references.hold(
            said.get("blocks") or (),
            said.get("languages"),
            keys=inclusions.keys(inclusions.sources_of(said)),
        )
        others = translations.built(said.get("languages") or {})
        return saving.save(
            template_id=template_id,
            name=said["name"],
            subject=said.get("subject", ""),
            preheader=said.get("preheader", ""),
            mjml=said.get("mjml", ""),
            blocks=said.get("blocks"),
            written_in=said.get("written_in"),
            languages=others,
            restored=number,
            user=user,
            now=now,
        )
