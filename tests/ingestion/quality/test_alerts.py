"""Who is told of a problem hears once that it began and once that it ended, whatever breaks."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from ingestion.models import Alert, AlertRule, Customer, Problem
from ingestion.quality import alerts, expectations, problems
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.postbox import Postbox
from tests.ingestion.quality.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def postbox(settings: Any) -> Iterator[Postbox]:
    box = Postbox()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", box.port, 5
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    yield box
    box.close()


class Receiver:
    """A server that remembers what was posted to it."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def choose(**more: Any) -> AlertRule:
    given = {"emails": ["ops@example.com"], "webhook_url": "", "webhook_secret": ""}
    return alerts.choose(
        **(given | {"least": "warning"} | more), user=factories.user("admin"), now=NOW
    )


def outage(severity: str = "warning") -> None:
    Customer.objects.bulk_create(Customer(external_id=f"c{i}") for i in range(10))
    expectations.save(
        subject="customers", field="country", kind="filled", severity=severity, user=None, now=NOW
    )
    problems.check(now=NOW)


def mend(hours: int = 5) -> None:
    Customer.objects.update(country="GB")
    problems.check(now=NOW + timedelta(hours=hours))


def test_a_problem_is_mailed_when_it_begins_and_when_it_ends(postbox: Postbox) -> None:
    choose(emails=["ops@example.com", "ops@example.com", "data@example.com"])
    outage()
    problems.check(now=NOW + timedelta(minutes=15))
    assert alerts.deliver(now=NOW) == 2
    assert alerts.deliver(now=NOW) == 0
    mend()
    assert alerts.deliver(now=NOW + timedelta(hours=5)) == 2
    assert postbox.copies == {"ops@example.com": 2, "data@example.com": 2}
    first, last = postbox.read(0), postbox.read(3)
    said = "Not as expected: People: Country is filled in 100% of rows"
    assert first["Subject"] == f"Data problem: {said}"
    assert last["Subject"] == f"Over: {said}"
    assert "10 rows of 10 do not meet it." in first.get_content()
    assert f"/data/quality/problems/{Problem.objects.get().pk}/" in first.get_content()


def test_a_lost_mail_is_sent_again_from_its_row(postbox: Postbox) -> None:
    choose()
    postbox.reply_to_data = "451 try later"
    outage()
    assert alerts.deliver(now=NOW) == 0
    row = Alert.objects.get()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert "451" in row.error
    assert alerts.deliver(now=NOW + timedelta(minutes=1)) == 0
    postbox.reply_to_data = "250 taken"
    assert alerts.deliver(now=NOW + timedelta(minutes=3)) == 1
    row.refresh_from_db()
    assert (row.state, row.attempts, row.error) == ("sent", 2, "")


def test_whoever_dies_while_sending_leaves_the_mail_to_the_next(postbox: Postbox) -> None:
    choose()
    outage()
    Alert.objects.update(attempts=1, next_try_at=NOW + alerts.CLAIM)
    assert alerts.deliver(now=NOW) == 0
    assert alerts.deliver(now=NOW + alerts.CLAIM) == 1


def test_an_alert_that_waits_for_a_slow_one_is_claimed_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose(emails=["ops@example.com", "data@example.com"])
    outage()
    clock, claims = [100.0], []

    def slow(alert: Alert) -> None:
        claims.append(alert.next_try_at - NOW - alerts.CLAIM)
        clock[0] += 170

    monkeypatch.setattr("ingestion.quality.alerts.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(alerts, "_mail", slow)
    assert alerts.deliver(now=NOW) == 2
    assert claims == [timedelta(0), timedelta(seconds=170)]


def test_after_a_day_of_tries_an_alert_is_given_up_and_says_so(settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    choose()
    outage()
    for hours in range(0, 24 * 3, 4):
        alerts.deliver(now=NOW + timedelta(hours=hours))
    row = Alert.objects.get()
    assert (row.state, row.attempts) == ("failed", alerts.TRIES)
    assert "refused" in row.error.lower()


def test_a_webhook_carries_a_signature_that_its_receiver_can_check(receiver: Receiver) -> None:
    choose(emails=[], webhook_url=receiver.url, webhook_secret="s3cret-key")
    assert "s3cret-key" not in str(AlertRule.objects.values())
    outage("critical")
    assert alerts.deliver(now=NOW) == 1
    headers, body = receiver.got[0]
    stamp = int(headers["X-Perennial-Timestamp"])
    assert stamp == int(NOW.timestamp())
    assert headers["X-Perennial-Signature"] == alerts.signature(
        secret="s3cret-key", timestamp=stamp, body=body
    )
    said = orjson.loads(body)
    assert said["event"] == "quality.problem.began"
    assert said["problem"]["rows"] == 10
    assert (said["problem"]["subject"], said["problem"]["field"]) == ("customers", "country")


def test_a_receiver_that_is_in_trouble_is_called_again(receiver: Receiver) -> None:
    choose(emails=[], webhook_url=receiver.url, webhook_secret="s3cret-key")
    receiver.status = 503
    outage()
    assert alerts.deliver(now=NOW) == 0
    assert "503" in Alert.objects.get().error
    receiver.status = 200
    assert alerts.deliver(now=NOW + timedelta(minutes=5)) == 1
    assert len(receiver.got) == 2


def test_only_serious_problems_are_told_when_so_chosen(postbox: Postbox) -> None:
    choose(least="critical")
    outage("warning")
    mend()
    assert alerts.deliver(now=NOW + timedelta(hours=6)) == 0
    assert not Alert.objects.exists()


def test_nobody_hears_the_end_of_what_they_did_not_hear_begin(postbox: Postbox) -> None:
    outage()
    choose()
    mend()
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"emails": ["not an address"]}, "emails"),
        ({"emails": [f"p{i}@example.com" for i in range(21)]}, "emails"),
        ({"webhook_url": "http://127.0.0.1/"}, "webhook_url"),
        ({"webhook_url": "file:///etc/passwd"}, "webhook_url"),
        ({"webhook_url": "http://127.0.0.9/"}, "webhook_secret"),
        ({"webhook_url": "https://nobody.invalid/"}, "webhook_url"),
        ({"least": "some"}, "least"),
    ],
)
def test_what_cannot_be_told_is_refused(given: dict[str, Any], field: str, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.9"]
    with pytest.raises(Invalid) as refusal:
        choose(**given)
    assert refusal.value.field == field


def test_a_muted_problem_is_silent_and_still_open() -> None:
    outage()
    problem = Problem.objects.get()
    user = factories.user()
    problems.mute(problem_id=problem.pk, days=7, user=user, now=NOW)
    assert problems.open_now(now=NOW) == []
    assert len(problems.open_now(now=NOW + timedelta(days=8))) == 1
    problems.mute(problem_id=problem.pk, days=0, user=user, now=NOW)
    assert [p.pk for p in problems.open_now(now=NOW)] == [problem.pk]
