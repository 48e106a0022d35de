"""A mail server on a free port, and campaigns that are ready to be sent to it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection

from campaigns import content
from campaigns.models import Campaign, Run
from campaigns.segments import definitions
from campaigns.sending import runs
from ingestion.models import Consent, Customer
from tests import factories
from tests.campaigns.postbox import Postbox

MJML = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Hello {{ first_name|default("there") }}, see <a href="https://shop.example/new">new</a>.</mj-text>
<mj-text><a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""
AGREED = factories.NOW - timedelta(days=100)
EVERYBODY = {"all": []}


@pytest.fixture
def postbox(settings) -> Iterator[Postbox]:
    box = Postbox()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", box.port, 5
    yield box
    box.close()


def look_at_everybody() -> None:
    """Let the database know how many people there are, as its own looks do, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET reltuples = (SELECT count(*) FROM ingestion_customer)"
            " WHERE oid = 'ingestion_customer'::regclass"
        )


def people(number: int, *, consent: bool = True, prefix: str = "p") -> list[Customer]:
    """So many people with addresses, in three statements."""
    made = Customer.objects.bulk_create(
        Customer(
            external_id=f"{prefix}{n}", email=f"{prefix}{n}@example.com", first_name=f"Person{n}"
        )
        for n in range(number)
    )
    if consent:
        Consent.objects.bulk_create(
            Consent(customer=person, granted=True, source="test", at=AGREED) for person in made
        )
    return made


def campaign(
    *, rule: dict | None = None, mjml: str = MJML, subject: str = "News", holdout: int = 0
) -> Campaign:
    """A draft to everybody, with a saved template."""
    segment = definitions.save(name="Everybody", rule=rule or EVERYBODY, actor=None)
    template = content.save(
        name="News", subject=subject, preheader="", mjml=mjml, user=None, now=factories.NOW
    )
    return Campaign.objects.create(
        name="News", segment=segment, template=template, holdout_percent=holdout
    )


def started(of: Campaign | None = None, **values) -> Run:
    """A campaign that has begun and whose message rows stand."""
    of = of or campaign(**values)
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert runs.fill(run_id=run.pk, now=factories.now())
    run.refresh_from_db()
    return run


def states(run: Run) -> dict[str, int]:
    """Messages by state; the sum is always the audience."""
    counted = runs.progress(run_id=run.pk)
    found = {
        name: getattr(counted, name)
        for name in ("queued", "sending", "sent", "failed", "unknown", "skipped")
    }
    return {name: n for name, n in found.items() if n}
