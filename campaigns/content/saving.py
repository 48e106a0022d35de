"""Templates: written in blocks, MJML or HTML, made into HTML and text when saved."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from campaigns.content import blocks as forms
from campaigns.content import history, inclusions, references
from campaigns.messaging import addresses, context, layout, mime, rendering, wording
from campaigns.models import Campaign, Template, Variant
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User

SUBJECT_LIMIT = 300
# Read as a file: Django's own template language must never see what marketers write.
STARTER = settings.BASE_DIR / "templates" / "email" / "starter.mjml"
BLOCKS, MJML, HTML = Template.Writing.BLOCKS, Template.Writing.MJML, Template.Writing.HTML


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


def build(
    *, subject: str, preheader: str, mjml: str, written_in: str = MJML, language: str = ""
) -> tuple[str, str]:
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
            raise _refuse(field, wording.said(refusal)) from None
        _check_names(field, wants)
    html, text = body(
        mjml=mjml, written_in=written_in, preheader=preheader, subject=subject, language=language
    )
    if "unsubscribe_url" not in rendering.variables(html):
        raise _refuse(
            "mjml",
            _("The mail has no unsubscribe link."),
            _("Add a footer block.")
            if written_in == BLOCKS
            else _('Add a link such as <a href="{{ unsubscribe_url }}">Unsubscribe</a>.'),
        )
    return html, text


def body(
    *,
    mjml: str,
    written_in: str = MJML,
    preheader: str = "",
    subject: str = "-",
    language: str = "",
) -> tuple[str, str]:
    """HTML and text of what stands in a mail, or in a part of one."""
    if written_in == BLOCKS and inclusions.stand_in(mjml):
        raise _refuse("mjml", _("A mail of blocks takes saved blocks from the list, and no tag."))
    try:
        parts = inclusions.Inclusions(mjml, language=language, mjml=written_in != HTML)
        if written_in == HTML:
            html = _as_written(parts.source)
        else:
            _check_names("mjml", rendering.variables(layout.expand_products(parts.source)))
            html = layout.compile_mjml(parts.source, preheader=preheader)
        html = parts.put(html)
        rendering.check_html(html)
        text = layout.text_from(html)
        rendering.Compiled(subject, html, text, addresses.signer())
    except (layout.LayoutRefused, rendering.TemplateRefused) as refusal:
        raise _refuse("mjml", wording.said(refusal)) from None
    return html, text


def _as_written(html: str) -> str:
    if not html.strip():
        raise _refuse("mjml", _("Write the HTML of the mail."))
    if len(html) > layout.SOURCE_LIMIT:
        raise _refuse("mjml", _("The HTML is longer than 200,000 characters."))
    _check_names("mjml", rendering.variables(html))
    return html


def _check_names(field: str, wants: frozenset[str]) -> None:
    if bad := context.unknown(wants):
        raise _refuse(
            field,
            _("There is no value called %(name)s.") % {"name": ", ".join(bad[:3])},
            _("Use one of: %(names)s.") % {"names": ", ".join(f.name for f in context.FIELDS)},
        )
    if gone := context.gone(wants):
        raise _refuse(
            field,
            _("There is no plan of offers with the key “%(key)s”.") % {"key": gone[0]},
            _("Choose another plan, or the newest one."),
        )


def mail(
    *,
    subject: str,
    preheader: str = "",
    mjml: str = "",
    blocks: Sequence[Any] | None = None,
    written_in: str = MJML,
    language: str = "",
) -> dict[str, Any]:
    """A mail in one language, checked and compiled, as a template keeps it."""
    kept: list[dict[str, Any]] = []
    if written_in not in Template.Writing.values:
        raise _refuse("mjml", _("Choose blocks, MJML or HTML."))
    if written_in == BLOCKS:
        kept = forms.read(list(blocks or []))
        references.mind_plans(kept)
        try:
            mjml = forms.compile_blocks(references.resolved(kept, language=language))
        except layout.LayoutRefused as refusal:
            raise _refuse("blocks", wording.said(refusal)) from None
    try:
        html, text = build(
            subject=subject,
            preheader=preheader,
            mjml=mjml,
            written_in=written_in,
            language=language,
        )
    except Invalid as refusal:
        if written_in == BLOCKS and refusal.field == "mjml":
            raise _refuse("blocks", refusal.message, refusal.remedy) from None
        raise
    return {
        "subject": subject.strip(),
        "preheader": preheader.strip(),
        "blocks": kept,
        "mjml": mjml.replace("\r\n", "\n"),
        "html": html,
        "text": text,
    }


def save(
    *,
    template_id: int | None = None,
    name: str,
    subject: str = "",
    preheader: str = "",
    mjml: str = "",
    written_in: str | None = None,
    blocks: Sequence[Any] | None = None,
    languages: Mapping[str, Any] | None = None,
    restored: int | None = None,
    user: User | ApiKey | None,
    now: datetime,
) -> Template:
    """Store a template, compiled. A run that has begun keeps the version it began with.

    `written_in` left out means as before; blocks whose MJML was changed by hand become MJML.
    `languages` left out stay as they are.
    """
    if not name.strip():
        raise _refuse("name", _("Give the template a name."))
    with transaction.atomic():
        references.hold(
            blocks or (),
            languages or {},
            keys=inclusions.keys(inclusions.sources_of({"mjml": mjml, "languages": languages})),
        )
        template = _row(template_id, user, now)
        if written_in is None:
            written_in = template.written_in
            if written_in == BLOCKS:
                same = mjml.strip() == template.mjml.strip()
                written_in, blocks = (BLOCKS, template.blocks) if same else (MJML, None)
        made = mail(
            subject=subject, preheader=preheader, mjml=mjml, blocks=blocks, written_in=written_in
        )
        template.written_in = written_in
        for field, value in made.items():
            setattr(template, field, value)
        if languages is not None:
            template.languages = dict(languages)
        template.name = name.strip()[:120]
        store(template, user=user, now=now, restored=restored)
    return template


def _row(template_id: int | None, user: User | ApiKey | None, now: datetime) -> Template:
    if template_id is not None:
        return locked(template_id)
    return Template(
        version=0,
        created_by=user if isinstance(user, User) else None,
        created_at=now,
    )


def locked(template_id: int) -> Template:
    """The template, held until the transaction ends."""
    found = Template.objects.select_for_update().filter(pk=template_id, kind="email").first()
    if found is None:
        raise NotFound(_("There is no such template."), code="template_unknown")
    history.keep_first(found)
    return found


def store(
    template: Template,
    *,
    user: User | ApiKey | None,
    now: datetime,
    restored: int | None = None,
    because: str = "",
) -> None:
    """Write a changed template and its new version; `because` names a saved block that changed."""
    template.version += 1
    template.updated_at = now
    template.save()
    said = history.said_by(template) | ({"because": because} if because else {})
    history.keep(template, said, restored=restored, user=user, now=now)
    audit.record(
        actor=user,
        action="template.saved",
        obj=template,
        detail={"version": template.version},
    )


def keep(
    *,
    template_id: int | None,
    campaign_id: int,
    values: Mapping[str, Any],
    user: User | ApiKey | None,
    now: datetime,
) -> Template:
    """The template a campaign goes on with; one that others use is copied before a change."""
    stored = Template.objects.filter(pk=template_id).first() if template_id else None
    if stored is None:
        return save(template_id=None, **values, user=user, now=now)
    if _same(stored, values):
        return stored
    if not _used_beside(stored, campaign_id):
        return save(template_id=stored.pk, **values, user=user, now=now)
    more: dict[str, Any] = {"written_in": stored.written_in, "languages": stored.languages}
    if stored.written_in == BLOCKS and "written_in" not in values:
        same = stored.mjml.strip() == values["mjml"].strip()
        more |= {"blocks": stored.blocks} if same else {"written_in": MJML}
    return save(template_id=None, **{**more, **values}, user=user, now=now)


def twin(*, template: Template, user: User | ApiKey | None, now: datetime) -> Template:
    """A copy of a mail, in all its languages, to be made different."""
    name = _("%(name)s, other version") % {"name": template.name[:100]}
    return save(
        name=name,
        subject=template.subject,
        preheader=template.preheader,
        mjml=template.mjml,
        blocks=template.blocks,
        written_in=template.written_in,
        languages=template.languages,
        user=user,
        now=now,
    )


def _same(stored: Template, values: Mapping[str, Any]) -> bool:
    """Whether somebody only went on: what they sent is what is stored."""
    given = dict(values)
    if given.get("written_in") == BLOCKS:
        given.pop("mjml", None)
        try:
            given["blocks"] = forms.read(given.get("blocks"))
        except Invalid:
            return False
    else:
        given.pop("blocks", None)
    return all(getattr(stored, name) == value for name, value in given.items())


def _used_beside(template: Template, campaign_id: int) -> bool:
    others = Campaign.objects.filter(template=template).exclude(pk=campaign_id)
    variants = Variant.objects.filter(template=template).exclude(campaign=campaign_id)
    return others.exists() or variants.exists() or bool(history.journeys_with(template.pk))


def delete(*, template_id: int, user: User | ApiKey | None) -> None:
    """Remove a template that nothing uses."""
    with transaction.atomic():
        template = Template.objects.select_for_update().filter(pk=template_id).first()
        if template is None:
            raise NotFound(_("There is no such template."), code="template_unknown")
        if (
            Campaign.objects.filter(template=template).exists()
            or Variant.objects.filter(template=template).exists()
        ):
            raise Conflict(
                _("A campaign uses this template, so it was kept."), code="template_in_use"
            )
        if named := history.journeys_with(template.pk):
            raise Conflict(
                _("The journey %(name)s uses this template, so it was kept.")
                % {"name": named[0].name},
                code="template_in_use",
            )
        audit.record(actor=user, action="template.deleted", obj=template)
        template.delete()


def listed() -> Any:
    """Templates with whether a campaign uses them."""
    return Template.objects.annotate(
        used=Exists(Campaign.objects.filter(template=OuterRef("pk")))
    ).order_by("-updated_at", "-id")
