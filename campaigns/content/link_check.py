"""Every link and picture of a campaign's mails, called once before it goes out.

What is called is what one of the people would get, so that addresses made of values are whole. A
worker does it; the page shows what it found, and says when a mail was changed after it. Our own
pages are not called but looked up.
"""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import content, locks
from campaigns.content import own_pages
from campaigns.models import Campaign, LinkCheck, Template
from campaigns.recipients import audience
from campaigns.sending import runs
from marketing.core import hosts, jobs, outbound
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, Job, User

KIND = "links.check"
MOST, AT_ONCE = 80, 8
LIMITS = outbound.Limits(connect=4.0, read=6.0, total=8.0, body=1_000)
LINK, PICTURE = "link", "picture"
OK, MOVED, CLOSED, BROKEN, SILENT, OURS = "ok", "moved", "closed", "broken", "silent", "ours"
BAD = frozenset({BROKEN, SILENT})
# A shop's door that wants a person, or no more visits now: the link may work all the same.
_CLOSED = frozenset({401, 403, 405, 406, 407, 429})


@dataclass(frozen=True)
class Looked:
    """The last look. `stale`: a mail was changed since. `job`: a look that goes on now."""

    check: LinkCheck | None = None
    stale: bool = False
    job: Job | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.check.found if self.check else []

    @property
    def bad(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["state"] in BAD]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("a", "area") and given.get("href"):
            self.found.setdefault(str(given["href"]).strip(), LINK)
        if tag == "img" and given.get("src"):
            self.found.setdefault(str(given["src"]).strip(), PICTURE)


def addresses(html: str) -> Iterator[tuple[str, str]]:
    """(address, link or picture) of everything outside that a mail points at, each once."""
    reader = _Reader()
    reader.feed(html)
    own = settings.PUBLIC_URL.rstrip("/") + "/u/"
    for url, what in reader.found.items():
        if url.startswith(("http://", "https://")) and not url.startswith(own):
            yield url, what


def digest(campaign: Campaign) -> str:
    """Of the mails as they are now."""
    return _digest(_mails(campaign))


def _mails(campaign: Campaign) -> list[Template]:
    if campaign.template is None:
        return []
    return [mail for _key, mail in runs.mails(campaign, campaign.template)]


def _digest(mails: list[Template]) -> str:
    return hashlib.sha256(orjson.dumps([(mail.pk, mail.version) for mail in mails])).hexdigest()


def begin(*, campaign_id: int, user: User | ApiKey | None) -> Job:
    """Have a worker look; the look that goes on already, if there is one."""
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        if campaign.template_id is None:
            raise Invalid(_("Choose the mail to send."), code="no_template", field="template")
        if (going := _open(campaign_id)) is not None:
            return going
        return jobs.start(
            kind=KIND,
            title=_("Check the links of %(name)s") % {"name": campaign.name},
            params={"campaign": campaign_id},
            user=user if isinstance(user, User) else None,
            result_url=reverse("campaigns:campaign-check", args=[campaign_id]),
        )


def _open(campaign_id: int) -> Job | None:
    going = (Job.State.QUEUED, Job.State.RUNNING, Job.State.CANCELLING)
    return Job.objects.filter(kind=KIND, state__in=going, params__campaign=campaign_id).first()


def latest(*, campaign: Campaign) -> Looked:
    """What was found last, and whether it still speaks of these mails."""
    check: LinkCheck | None = getattr(campaign, "link_check", None)
    stale = check is not None and check.digest != digest(campaign)
    return Looked(check, stale, _open(campaign.pk))


def look(job: jobs.Running) -> dict[str, Any]:
    """Call every address of the campaign's mails and keep what answered."""
    campaign = (
        Campaign.objects.select_related("segment", "template")
        .filter(pk=job.params["campaign"])
        .first()
    )
    if campaign is None:
        raise NotFound(_("There is no such campaign any more."), code="campaign_unknown")
    mails = _mails(campaign)
    wanted = dict(list(_wanted(campaign, mails))[:MOST])
    job.step(1, gettext_lazy("Calling links and pictures"), total=len(wanted), unit="links")
    found = []
    with ThreadPoolExecutor(AT_ONCE) as lines:
        for row in lines.map(lambda one: call(url=one[0], what=one[1]), wanted.items()):
            found.append(row)
            job.progress(len(found))
    LinkCheck.objects.update_or_create(
        campaign=campaign,
        defaults={"digest": _digest(mails), "found": found, "checked_at": timezone.now()},
    )
    return {"links": len(found), "bad": sum(row["state"] in BAD for row in found)}


def _wanted(campaign: Campaign, mails: list[Template]) -> Iterator[tuple[str, str]]:
    rule = campaign.segment.rule if campaign.segment else None
    for mail in mails:
        if mail.kind != "email":
            for name, url in mail.parts.items():
                whole = str(url).startswith(("http://", "https://")) and "{" not in str(url)
                if name in ("url", "icon") and whole and mail.kind != "webhook":
                    yield str(url), PICTURE if name == "icon" else LINK
            continue
        someone = audience.some(rule=rule, number=1)
        seen = content.preview(parts=vars(mail), customer_id=someone[0].pk if someone else None)
        yield from addresses(seen.html or mail.html)


def call(*, url: str, what: str) -> dict[str, Any]:
    """One address: whether it answers, and in words what is wrong when it does not."""
    state, text = _ours(url, what) if own_pages.is_ours(url) else _called(url, what)
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # a picture may stand at what is no address
        host = ""
    if hosts.both(host) != host:
        # Letters of another script may look like those of a name that readers trust.
        text = " ".join([_("Its host is %(host)s.") % {"host": hosts.both(host)}, text]).strip()
    return {"url": url, "what": what, "state": state, "text": text}


def _ours(url: str, what: str) -> tuple[str, str]:
    found, target = own_pages.judge(url)
    if found == own_pages.CALL and own_pages.is_ours(target):
        found, target = own_pages.judge(target)
    if found == own_pages.CALL:
        return _called(target, what)
    if found == own_pages.FINE:
        return OK, _("One of our own pages.")
    if found == own_pages.UNSIGNED:
        return BROKEN, _("This tracked link is not whole, so it leads nowhere.")
    if found == own_pages.NOTHING:
        return BROKEN, _("This platform has no such page.")
    return OURS, _(
        "This platform itself: readers would be asked to sign in. The address of your shop is set "
        "under Settings → Brand."
    )


def _called(url: str, what: str) -> tuple[str, str]:
    state, text = OK, ""
    try:
        with outbound.stream(url=url, limits=LIMITS) as answer:
            state, text = _judged(answer.status, answer.headers, what)
    except outbound.Blocked as refusal:
        if refusal.code == "address_refused" and own_pages.is_shop(url):
            return OURS, _("Your shop, in this network: it was not called. Open it yourself.")
        moved = refusal.code in ("redirect_refused", "too_many_redirects")
        state, text = (MOVED if moved else SILENT), refusal.message
    except outbound.Unreachable as refusal:
        state, text = SILENT, refusal.message
    return state, text


def _judged(status: int, headers: Mapping[str, str], what: str) -> tuple[str, str]:
    if status in _CLOSED:
        return CLOSED, _("It answers %(status)d; open it yourself.") % {"status": status}
    if status >= 400:
        return BROKEN, _("It answers %(status)d.") % {"status": status}
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if what == PICTURE and kind and not kind.startswith(("image/", "application/octet")):
        return BROKEN, _("It is no picture but %(kind)s.") % {"kind": kind[:60]}
    return OK, ""
