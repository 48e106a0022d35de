"""Who hears of a problem outside the platform: once when it begins and once when it ends.

A row says what is to be told to whom; sending is a separate step that any worker may repeat, so a
mail server that is away delays an alert and loses none.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion.models import Alert, AlertRule, Problem, Severity
from ingestion.quality import wording
from marketing.core import audit, bus, outbound, vault
from marketing.core.errors import Invalid, Refused
from marketing.core.models import User

logger = logging.getLogger(__name__)

BEGAN, ENDED = "began", "ended"
MAIL, WEBHOOK = "mail", "webhook"
TRIES = 12
ADDRESSES = 20
CLAIM = timedelta(minutes=3)
_SECRET_ROW = "alert rule"


def rule() -> AlertRule:
    """Who is told."""
    return AlertRule.objects.filter(pk=1).first() or AlertRule(pk=1)


def choose(
    *,
    emails: Sequence[str],
    webhook_url: str,
    webhook_secret: str,
    least: str,
    user: User,
    now: datetime,
) -> AlertRule:
    """Say who is told. An empty secret keeps the one that is stored."""
    tidy = list(dict.fromkeys(text.strip() for text in emails if text.strip()))
    if len(tidy) > ADDRESSES:
        raise Invalid(_("At most 20 addresses can be told."), field="emails")
    for address in tidy:
        try:
            validate_email(address)
        except ValidationError:
            raise Invalid(
                _("“%(address)s” is not an e-mail address.") % {"address": address[:80]},
                code="bad_address",
                field="emails",
            ) from None
    url = webhook_url.strip()
    if url:
        try:
            outbound.check(url)
        except Refused as refusal:
            raise Invalid(str(refusal), code="bad_webhook", field="webhook_url") from None
    if least not in Severity.values:
        raise Invalid(_("Choose from which severity on."), field="least")
    with transaction.atomic():
        row = rule()
        if url and not webhook_secret and not row.webhook_secret:
            raise Invalid(
                _("Give a secret; the receiver checks the signature with it."),
                code="no_secret",
                field="webhook_secret",
            )
        row.emails, row.webhook_url, row.least, row.updated_at = tidy, url, least, now
        if webhook_secret:
            row.webhook_secret = vault.seal(text=webhook_secret, row=_SECRET_ROW)
        row.save()
        audit.record(actor=user, action="alerts.chosen", obj=row, detail={"emails": len(tidy)})
    return row


def renew_secrets() -> int:
    """Seal the webhook's secret under the present SECRET_KEY; 1 when that was needed."""
    row = AlertRule.objects.filter(pk=1).exclude(webhook_secret="").first()
    if row is None or vault.is_current(row.webhook_secret):
        return 0
    row.webhook_secret = vault.renew(sealed=row.webhook_secret, row=_SECRET_ROW)
    row.save(update_fields=["webhook_secret"])
    return 1


def tell(*, begun: Iterable[Problem], ended: Iterable[Problem], now: datetime) -> int:
    """Write what is to be told; how many messages. In the transaction that moves the problems."""
    row = AlertRule.objects.filter(pk=1).first()
    if row is None or not (row.emails or row.webhook_url):
        return 0
    targets = [(MAIL, address) for address in row.emails]
    if row.webhook_url:
        targets.append((WEBHOOK, row.webhook_url))
    wanted = [
        (BEGAN, problem)
        for problem in begun
        if row.least != Severity.CRITICAL or problem.severity == Severity.CRITICAL
    ]
    told = set(
        Alert.objects.filter(problem__in=list(ended), moment=BEGAN).values_list(
            "problem_id", "channel", "address"
        )
    )
    alerts = [
        Alert(problem=p, moment=moment, channel=channel, address=address, next_try_at=now)
        for moment, p in wanted
        for channel, address in targets
        if not (p.muted_until and p.muted_until > now)
    ]
    # Only who heard that it began hears that it ended.
    by_id = {problem.pk: problem for problem in ended}
    alerts += [
        Alert(problem=by_id[pk], moment=ENDED, channel=channel, address=address, next_try_at=now)
        for pk, channel, address in told
    ]
    made = Alert.objects.bulk_create(alerts, ignore_conflicts=True)
    if made:
        bus.announce("alerts.waiting")
    return len(made)


def deliver(*, now: datetime, limit: int = 50) -> int:
    """Send what waits and is due; how many went out. A failure waits longer each time."""
    sent, begun = 0, time.monotonic()
    for _turn in range(limit):
        moment = now + timedelta(seconds=time.monotonic() - begun)  # sending the last one took long
        with transaction.atomic():
            waiting = Alert.objects.select_for_update(skip_locked=True).filter(
                Q(state=Alert.State.WAITING), next_try_at__lte=now
            )
            alert = waiting.select_related("problem").order_by("next_try_at", "id").first()
            if alert is None:
                return sent
            # Claimed by moving its time on: who dies while sending leaves it to be sent again.
            alert.attempts += 1
            alert.next_try_at = moment + CLAIM
            alert.save(update_fields=["attempts", "next_try_at"])
        sent += _send(alert, moment)
    return sent


def _send(alert: Alert, now: datetime) -> bool:
    try:
        if alert.channel == MAIL:
            _mail(alert)
        else:
            _call(alert, now)
    except (SMTPException, OSError, Refused) as error:
        alert.error = f"{type(error).__name__}: {error}"[:300]
        if alert.attempts >= TRIES:
            alert.state = Alert.State.FAILED
        alert.next_try_at = now + timedelta(minutes=min(2**alert.attempts, 240))
        alert.save(update_fields=["error", "state", "next_try_at"])
        logger.warning("alert %s was not delivered: %s", alert.pk, alert.error)
        return False
    alert.state, alert.sent_at, alert.error = Alert.State.SENT, now, ""
    alert.save(update_fields=["state", "sent_at", "error"])
    return True


def _address(problem: Problem) -> str:
    return settings.PUBLIC_URL.rstrip("/") + reverse("ingestion:quality-problem", args=[problem.pk])


def _mail(alert: Alert) -> None:
    words = wording.describe(alert.problem)
    over = alert.moment == ENDED
    lead = _("Over: %(title)s") if over else _("Data problem: %(title)s")
    parts = (
        [words.title, words.means] + ([] if over else [words.remedy]) + [_address(alert.problem)]
    )
    subject = " ".join((lead % {"title": words.title}).split())[:200]
    EmailMessage(subject, "\n\n".join(parts), to=[alert.address]).send()


def body(alert: Alert) -> bytes:
    """What a webhook is sent."""
    problem, words = alert.problem, wording.describe(alert.problem)
    return orjson.dumps(
        {
            "id": f"alert-{alert.pk}",
            "event": f"quality.problem.{alert.moment}",
            "problem": {
                "id": problem.pk,
                "title": words.title,
                "means": words.means,
                "remedy": words.remedy,
                "dimension": problem.dimension,
                "subject": problem.subject,
                "field": problem.field,
                "source": problem.source,
                "severity": problem.severity,
                "rows": problem.rows,
                "total": problem.total,
                "since": problem.since,
                "ended_at": problem.ended_at,
                "url": _address(problem),
            },
        }
    )


def signature(*, secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.body`, as the receiver computes it."""
    mark = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={mark.hexdigest()}"


def _call(alert: Alert, now: datetime) -> None:
    content = body(alert)
    timestamp = int(now.timestamp())
    secret = vault.unseal(sealed=rule().webhook_secret, row=_SECRET_ROW)
    answer = outbound.fetch(
        url=alert.address,
        method="POST",
        headers={
            "Content-Type": "application/json",
            "X-Perennial-Timestamp": str(timestamp),
            "X-Perennial-Signature": signature(secret=secret, timestamp=timestamp, body=content),
        },
        body=content,
    )
    if not answer.ok:
        raise Refused(_("The receiver answered %(status)s.") % {"status": answer.status})
