"""What people ask for is done in time, by those who may, and leaves proof."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.messaging import keeping
from campaigns.models import Message
from ingestion import consent, erasure, events
from ingestion.identity import merging
from ingestion.models import (
    Consent,
    ConsentText,
    Customer,
    Erasure,
    Merge,
    PersonalExport,
    PrivacyRequest,
    Purpose,
    RetentionRule,
    Suppression,
    Twins,
    WebhookThing,
)
from ingestion.privacy import exports, requests
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import AuditEntry, Job
from tests import factories
from tests.ingestion.conftest import NOW
from tests.ingestion.privacy.traces import TEMPLATE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_var")]


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (datetime(2026, 1, 31, 9, tzinfo=UTC), datetime(2026, 2, 28, 9, tzinfo=UTC)),
        (datetime(2028, 1, 30, 9, tzinfo=UTC), datetime(2028, 2, 29, 9, tzinfo=UTC)),
        (datetime(2026, 12, 5, 9, tzinfo=UTC), datetime(2027, 1, 5, 9, tzinfo=UTC)),
        (datetime(2026, 4, 30, 9, tzinfo=UTC), datetime(2026, 5, 30, 9, tzinfo=UTC)),
    ],
)
def test_a_month_is_a_month(received: datetime, due: datetime) -> None:
    assert requests.due_from(received) == due


def file(person: Customer, kind: str) -> PrivacyRequest:
    return requests.file(customer_id=person.pk, kind=kind, came_by="letter", actor=None, now=NOW)


def test_asking_twice_is_one_request_and_nonsense_is_none() -> None:
    ada = factories.customer("ada")
    assert file(ada, "access") == file(ada, "access")
    assert file(ada, "erasure") != file(ada, "access")
    with pytest.raises(Invalid):
        file(ada, "fame")
    with pytest.raises(NotFound):
        requests.file(customer_id=10**9, kind="access", came_by="x", actor=None, now=NOW)
    assert PrivacyRequest.objects.count() == 2


def test_an_objection_stops_profiling_and_closes_once() -> None:
    ada = factories.customer("ada")
    row = file(ada, "objection")
    requests.fulfil(request_id=row.pk, actor=None, now=NOW)
    assert not Consent.objects.get(purpose="profiling").granted
    with pytest.raises(Conflict):
        requests.fulfil(request_id=row.pk, actor=None, now=NOW)
    assert consent.may_mail(ada.pk)


def test_declining_and_correcting_need_words() -> None:
    ada = factories.customer("ada")
    row = file(ada, "rectification")
    with pytest.raises(Invalid):
        requests.fulfil(request_id=row.pk, actor=None, now=NOW)
    with pytest.raises(Invalid):
        requests.decline(request_id=row.pk, outcome="  ", actor=None, now=NOW)
    requests.decline(request_id=row.pk, outcome="It is right as it is.", actor=None, now=NOW)
    row.refresh_from_db()
    assert (row.state, row.outcome) == ("declined", "It is right as it is.")
    assert AuditEntry.objects.filter(action="privacy_request.declined").exists()


def made(person: Customer) -> PersonalExport:
    export = exports.start(customer_id=person.pk, actor=None, now=factories.now())
    assert export.job is not None
    jobs.run(job_id=export.job.pk)
    export.job.refresh_from_db()
    assert export.job.state == "done", export.job.error
    export.refresh_from_db()
    return export


def lived() -> Customer:
    ada = factories.customer("ada", last_name="=HYPERLINK(evil)")
    factories.order(ada)
    factories.traits(ada)
    seen = events.Incoming(
        type="view", at=NOW, message_id="1", customer_id=ada.pk, properties={"page": "/tea"}
    )
    events.record(batch=[seen], source="web", now=NOW)
    run = factories.run(
        factories.campaign(), [ada], snapshot={"contents": {"a": {"template": TEMPLATE}}}
    )
    mail = b"To: ada@example.com\r\n\r\nDear Ada"
    keeping.store([keeping.Written(Message.objects.get(run=run).pk, mail, b"")])
    AuditEntry.objects.create(
        actor_label="Maya",
        action="customer.changed",
        object_type="ingestion.customer",
        object_id=str(ada.pk),
    )
    return ada


def test_a_copy_holds_every_part_of_the_platform_and_nobody_else() -> None:
    ada = lived()
    ben = factories.customer("ben")
    factories.order(ben)
    export = made(ada)
    content = exports.place_of(export).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = set(archive.namelist())
        for part in (
            "customer", "identity", "consent", "order", "orderline", "event", "message",
            "traits", "auditentry", "customerrollup",
        ):  # fmt: skip
            assert {f"json/{part}.json", f"csv/{part}.csv"} <= names, part
        assert any(name.startswith("files/mails/") for name in names)
        mail = next(name for name in names if name.endswith(".eml"))
        assert archive.read(mail).endswith(b"Dear Ada")
        (person,) = json.loads(archive.read("json/customer.json"))
        assert (person["email"], person["attributes"]) == ("ada@example.com", {})
        assert json.loads(archive.read("json/event.json"))[0]["properties"] == {"page": "/tea"}
        assert "'=HYPERLINK(evil)" in archive.read("csv/customer.csv").decode()
        index = archive.read("index.html").decode()
        assert "This is everything stored about" in index
        whole = b"".join(archive.read(name) for name in names)
    assert b"ben@example.com" not in whole
    assert export.counts["ingestion_order"] == 1
    assert AuditEntry.objects.get(action="export.started").detail == {"customer": ada.pk}


def everything_in(export: PersonalExport) -> str:
    with zipfile.ZipFile(exports.place_of(export)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist()).decode()


def test_a_copy_tells_nothing_of_who_is_like_them_or_shares_their_phone() -> None:
    ada = factories.customer("ada", phone="+442079460000")
    zoe = factories.customer("zoe", phone="+442079460000")
    Twins.objects.create(left=ada, right=zoe, score=60, evidence=[["name", "Zoe's secret", 60]])
    mine = {"kind": "person", "changed_at": NOW, "digest": "d", "source": factories.source()}
    WebhookThing.objects.create(
        external_id="1", body={"of": "ada's own"}, names=["ada@example.com", ada.phone], **mine
    )
    WebhookThing.objects.create(
        external_id="2", body={"of": "zoe's own"}, names=["zoe@example.com", zoe.phone], **mine
    )
    told = everything_in(made(ada))
    assert "ada's own" in told
    assert "zoe" not in told.lower()
    requests.fulfil(request_id=file(ada, "erasure").pk, actor=None, now=NOW)
    assert WebhookThing.objects.get().body == {"of": "zoe's own"}


def test_a_copy_tells_nothing_of_somebody_merged_by_mistake() -> None:
    ada, zoe = factories.customer("ada"), factories.customer("zoe")
    merging.merge(kept=ada.pk, gone=zoe.pk, actor=None, now=NOW)
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=NOW)
    Merge.objects.update(evidence={"stronger": ["email", "zoe@example.com"]})
    told = everything_in(made(ada))
    assert "zoe" not in told


@pytest.mark.parametrize("kind", ["access", "erasure"])
def test_who_was_merged_since_they_asked_is_served_as_one_person(kind: str) -> None:
    ada, other = factories.customer("ada"), factories.customer("other")
    request = file(other, kind)
    merging.merge(kept=ada.pk, gone=other.pk, actor=None, now=NOW)
    done = requests.fulfil(request_id=request.pk, actor=None, now=NOW)
    if isinstance(done, PersonalExport):
        assert done.customer_id == ada.pk
        jobs.run(job_id=done.job_id)
        done.refresh_from_db()
        assert "ada@example.com" in everything_in(done)
    else:
        assert not Customer.every.filter(pk__in=[ada.pk, other.pk]).exists()
        assert done.receipt.customer_number == ada.pk


def test_a_copy_of_who_is_merged_while_it_waits_is_of_the_whole_person() -> None:
    ada, other = factories.customer("ada"), factories.customer("other")
    export = exports.start(customer_id=other.pk, actor=None, now=factories.now())
    merging.merge(kept=ada.pk, gone=other.pk, actor=None, now=NOW)
    jobs.run(job_id=export.job_id)
    export.refresh_from_db()
    assert "ada@example.com" in everything_in(export)


def test_a_copy_is_fetched_once_and_its_file_goes_with_it() -> None:
    export = made(factories.customer("ada"))
    path = urlsplit(reverse("ingestion:copy", args=[exports.token_of(export)])).path
    client = Client()
    assert "Download" in client.get(path).content.decode()
    assert exports.place_of(export).exists()
    got = client.post(path)
    assert got["Content-Type"] == "application/zip"
    assert got["Cache-Control"].startswith("no-store")
    assert zipfile.ZipFile(io.BytesIO(got.content)).testzip() is None
    assert not exports.place_of(export).exists()
    for again in (client.get(path), client.post(path)):
        assert "This link does not work" in again.content.decode()
    with pytest.raises(Conflict):
        exports.fetch(export=export, actor=None, now=factories.now())
    assert AuditEntry.objects.filter(action="export.fetched").count() == 1


def test_a_copy_nobody_fetched_runs_out_and_is_deleted() -> None:
    export = made(factories.customer("ada"))
    later = factories.now() + exports.VALID_FOR + timedelta(minutes=1)
    assert exports.of_token(exports.token_of(export), now=later) is None
    assert exports.prune(now=factories.now()) == 0
    assert exports.prune(now=later) == 1
    assert list(exports.place_of(export).parent.glob("**/*.zip")) == []


def copies() -> list[str]:
    return sorted(path.suffix for path in (exports._folder()).glob("*"))


def test_a_copy_of_who_is_erased_while_it_is_made_leaves_nothing(monkeypatch) -> None:
    ada = factories.customer("ada")
    export = exports.start(customer_id=ada.pk, actor=None, now=factories.now())
    write = exports.write

    def erased_after(**values):  # type: ignore[no-untyped-def]
        counts = write(**values)
        erasure.forget(customer_id=ada.pk, actor=None)
        return counts

    monkeypatch.setattr(exports, "write", erased_after)
    jobs.run(job_id=export.job_id)
    job = Job.objects.get(pk=export.job_id)
    assert (job.state, "There is no such person" in job.error) == ("failed", True)
    assert copies() == []
    assert not PersonalExport.objects.exists()


def test_a_copy_that_was_erased_before_it_was_begun_is_not_made() -> None:
    ada = factories.customer("ada")
    export = exports.start(customer_id=ada.pk, actor=None, now=factories.now())
    erasure.forget(customer_id=ada.pk, actor=None)
    jobs.run(job_id=export.job_id)
    job = Job.objects.get(pk=export.job_id)
    assert (job.state, "There is no such person" in job.error) == ("failed", True)
    assert copies() == []


def test_a_copy_that_fails_midway_leaves_no_draft(monkeypatch) -> None:
    def fail(*_values: object) -> str:
        raise OSError("the disk is full")

    export = exports.start(
        customer_id=factories.customer("ada").pk, actor=None, now=factories.now()
    )
    monkeypatch.setattr(exports, "_as_csv", fail)
    jobs.run(job_id=export.job_id)
    assert copies() == []


def test_files_that_no_copy_names_go_after_a_day() -> None:
    kept = made(factories.customer("ada"))
    for name in ("7-abc.part", "7-abc.zip"):
        (exports._folder() / name).write_bytes(b"x")
    now = factories.now()
    assert exports.prune(now=now + timedelta(hours=23)) == 0
    assert exports.prune(now=now + timedelta(hours=25)) == 2
    assert exports.place_of(kept).exists()
    assert copies() == [".zip"]


def test_an_erasure_takes_a_copy_that_is_being_made(settings) -> None:
    ada = factories.customer("ada")
    kept = made(factories.customer("ben"))
    (exports._folder() / f"{ada.pk}-abc.part").write_bytes(b"x")
    receipt = erasure.forget(customer_id=ada.pk, actor=None).receipt
    jobs.run(job_id=Job.objects.get(params__erasure_id=receipt.pk).pk)
    receipt.refresh_from_db()
    assert receipt.counts["exports"] == 1
    assert list(exports._folder().glob("*")) == [exports.place_of(kept)]


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


def changes(ada: Customer, export: PersonalExport) -> dict[str, tuple[str, dict, set[str]]]:
    """Name → (address, form, roles that may)."""
    data, admin = {"admin", "marketer", "integrator"}, {"admin"}
    access, erase = file(ada, "access"), file(ada, "erasure")
    wrong = file(ada, "rectification")

    def at(name: str, *args: object) -> str:
        return reverse(f"ingestion:{name}", args=args)

    yes = {"purpose": "marketing", "channel": "sms", "granted": "yes", "method": "verbal"}
    fulfil = {"do": "fulfil"}
    return {
        "answer": (at("person-answer", ada.pk), {**yes, "note": "by phone"}, data),
        "mail": (at("person-confirm", ada.pk), {}, data),
        "request": (at("person-request", ada.pk), {"kind": "objection"}, data),
        "purpose": (at("purpose-add"), {"name": "Partners"}, data),
        "words": (
            at("consent-text"),
            {"purpose": "marketing", "language": "en", "text": "A"},
            data,
        ),
        "suppress": (at("suppression-add"), {"addresses": "x@example.com, y"}, data),
        "lift": (at("suppression-lift"), {"address": "x@example.com"}, data),
        "rule": (at("retention-choose"), {"kind": "events", "name": "view", "days": "90"}, data),
        "correct": (at("privacy-close", wrong.public_id), {**fulfil, "outcome": "did"}, data),
        "copy": (at("person-copy", ada.pk), {}, admin),
        "fetch": (at("privacy-copy", export.public_id), {}, admin),
        "access": (at("privacy-close", access.public_id), fulfil, admin),
        "erase": (at("privacy-close", erase.public_id), fulfil, admin),
    }


@pytest.mark.parametrize("role", ["admin", "marketer", "integrator", "analyst"])
def test_each_role_may_do_what_it_may_and_no_more(role: str) -> None:
    ada = factories.customer("ada")
    export = made(ada)
    client = signed_in(role)
    for name, (path, form, roles) in changes(ada, export).items():
        assert client.get(path).status_code in (403, 405), name
        answer = client.post(path, form)
        assert (answer.status_code == 403) is (role not in roles), (name, answer.status_code)
        assert answer.status_code in (200, 302, 403), name
    stranger = Client()
    ben = factories.customer("ben")
    for name, (path, form, _roles) in changes(ben, made(ben)).items():
        answer = stranger.post(path, form)
        assert (answer.status_code, answer.url.startswith("/login/")) == (302, True), name
    assert Customer.objects.filter(pk=ada.pk).exists() is (role != "admin")
    assert Erasure.objects.count() == (role == "admin")
    assert Purpose.objects.count() == (role != "analyst")
    assert RetentionRule.objects.count() == (role != "analyst")
    assert ConsentText.objects.count() == (role != "analyst")
    assert not Suppression.objects.exists()


def test_the_pages_show_what_happened() -> None:
    admin = signed_in("admin")
    ada = lived()
    Purpose.objects.create(slug="partners", name="Partner offers")
    consent.suppress(addresses=["<b>@example.com"], reason="complained", now=NOW)
    late = requests.file(
        customer_id=ada.pk, kind="access", came_by="letter", note="<script>", actor=None,
        now=factories.now() - timedelta(days=40),
    )  # fmt: skip
    pages = {
        "privacy-home": "late since",
        "privacy-consent": "Partner offers",
        "privacy-suppression": "&lt;b&gt;@example.com",
        "privacy-retention": "Events, by type",
        "retention-plan": "Nothing is old enough",
    }
    for name, words in pages.items():
        assert words in admin.get(reverse(f"ingestion:{name}")).content.decode(), name
    page = admin.get(reverse("ingestion:privacy-request", args=[late.public_id])).content.decode()
    assert "Make the copy" in page
    assert "<script>" not in page.split("<main")[1].split("</main>")[0]
    page = admin.get(reverse("ingestion:person-privacy", args=[ada.pk])).content.decode()
    assert "sign-up form" in page
    admin.post(reverse("ingestion:privacy-close", args=[file(ada, "erasure").public_id]),
               {"do": "fulfil", "keep_orders": "yes"})  # fmt: skip
    receipt = Erasure.objects.get()
    page = admin.get(reverse("ingestion:erasure-receipt", args=[receipt.public_id]))
    assert "Orders kept as a guest" in page.content.decode()
    hidden = admin.get(reverse("ingestion:privacy-suppression") + "?q=ada@example.com")
    assert "suppressed as a hash" in hidden.content.decode()
    analyst = signed_in("analyst")
    for name in pages:
        assert analyst.get(reverse(f"ingestion:{name}")).status_code == 200
