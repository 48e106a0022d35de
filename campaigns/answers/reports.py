"""What providers report later, each in its own words: news of messages, and what people answer."""

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from uuid import UUID

from django.utils.translation import gettext as _

from campaigns.answers import feedback, texts
from campaigns.answers.feedback import News, Told
from campaigns.answers.returned import Cause, Kind
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Reply, Report
from campaigns.models import Channel
from marketing.core.errors import NotFound

_KINDS = {
    "delivered": "delivered",
    "bounced": Kind.BOUNCE,
    "failed": Kind.BOUNCE,
    "complained": Kind.COMPLAINT,
    "deferred": Kind.DELAY,
}


def take(
    *,
    channel: UUID,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    url: str,
    now: datetime,
) -> tuple[Told, tuple[str, bytes] | None]:
    """Hear what one request of a provider says; also the answer that it wants to a text.

    Refused when the provider did not sign it.

    Raises NotFound for a channel there is not, and for one whose provider reports nothing.
    """
    row = Channel.objects.filter(public_id=channel).first()
    provider = registry.load(row.provider) if row else None
    if row is None or provider is None or not provider.hooks:
        raise NotFound(_("There is no such channel."), code="channel_unknown")
    hooks = import_module(provider.hooks)
    told = hooks.read(
        method=method,
        headers=headers,
        query=query,
        body=body,
        url=url,
        given=registry.given_to(row),
    )
    replies = [one for one in told if isinstance(one, Reply)]
    news = [news_of(one, source=row.provider) for one in told if isinstance(one, Report)]
    heard = feedback.hear(news=news, now=now)
    new, known, strange = texts.hear(channel=row, replies=replies, now=now)
    wanted: tuple[str, bytes] | None = getattr(hooks, "ANSWER", None) if replies else None
    return Told(heard.new + new, heard.known + known, heard.strange + strange), wanted


def news_of(report: Report, *, source: str) -> News:
    """A report in the words of news."""
    if report.what == "bounced":
        cause = Cause.MAILBOX if report.lasting else Cause.TEMPORARY
    else:
        cause = Cause.POLICY if report.what == "failed" else Cause.UNKNOWN
    return News(
        _KINDS[report.what],
        report.at,
        source,
        report.key,
        report.ref,
        report.address,
        cause,
        "",
        report.text,
        report.event_id and f"{report.what}:{report.event_id}:{report.address}",
    )
