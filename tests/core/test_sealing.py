"""The audit trail is only ever added to, and whoever gets past that is found out."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from ingestion.privacy import retention
from marketing.core import audit, personal, sealing
from marketing.core.models import AuditCheck, AuditEntry, AuditSeal, User
from tests import factories

pytestmark = pytest.mark.django_db


def done(n: int = 3) -> list[AuditEntry]:
    ada = factories.user("admin", username="ada")
    return [
        audit.record(actor=ada, action="segment.saved", obj=ada, detail={"n": i, "z": "é"})
        for i in range(n)
    ]


def run(sql: str, *values: object, past_the_guard: bool = False) -> None:
    """As somebody who owns the database may."""
    with transaction.atomic(), connection.cursor() as cursor:
        if past_the_guard:
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


def verified(*flags: str) -> str:
    out = StringIO()
    call_command("audit", "--verify", *flags, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE core_auditentry SET action = 'x.done'",
        "UPDATE core_auditentry SET detail = '{}'",
        "UPDATE core_auditentry SET at = now()",
        "UPDATE core_auditentry SET erased_at = now()",
        "DELETE FROM core_auditentry",
        "UPDATE core_auditseal SET entry = 1",
        "DELETE FROM core_auditseal",
        # what an erasure may do is to blacken, not to rewrite
        personal.ERASING + "UPDATE core_auditentry SET object_label = 'another'",
        personal.ERASING + "UPDATE core_auditentry SET actor_label = ''",
    ],
)
def test_no_entry_and_no_link_is_changed_or_removed(sql: str) -> None:
    done(1)
    sealing.seal()
    with pytest.raises(IntegrityError, match="only ever added to"), transaction.atomic():
        run(sql)


def test_new_entries_are_sealed_once_and_the_trail_is_whole_since_the_first() -> None:
    first, *_rest = done(3)
    assert (sealing.seal(), sealing.seal()) == (3, 0)
    audit.record(actor=None, action="late.done")
    found = sealing.verify()
    assert (found.fault, found.links, found.waiting, found.since) == ("", 3, 1, first.at)
    assert sealing.seal() == 1
    assert f"Head: {sealing.head()}" in verified()
    assert list(AuditSeal.objects.values_list("n", flat=True)) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("UPDATE core_auditentry SET actor_label = 'ben' WHERE id = %s", "changed"),
        ("UPDATE core_auditentry SET detail = '{\"n\": 9}' WHERE id = %s", "changed"),
        ("DELETE FROM core_auditentry WHERE id = %s", "gone"),
        ("DELETE FROM core_auditseal WHERE entry = %s", "gap"),
        ("UPDATE core_auditseal SET told = deed WHERE entry = %s", "link"),
        ("UPDATE core_auditseal SET key = 'another' WHERE entry = %s", "key"),
    ],
)
def test_a_change_past_the_guard_is_named_with_the_first_entry(sql: str, fault: str) -> None:
    _first, second, third = done(3)
    sealing.seal()
    run(sql, second.pk, past_the_guard=True)
    found = sealing.check(now=factories.now())
    # of a missing link the next one tells
    assert (found.fault, found.entry) == (fault, third.pk if fault == "gap" else second.pk)
    with pytest.raises(CommandError, match=str(found.entry)):
        verified()
    kept = AuditCheck.objects.get()
    assert (kept.fault, kept.fault_entry) == (fault, found.entry)


def test_an_entry_put_behind_the_chain_is_found_and_never_sealed() -> None:
    entry = done(1)[0]
    sealing.seal()
    forged = AuditEntry.objects.create(
        actor_label="ada", action="key.created", at=entry.at - timedelta(days=3)
    )
    assert sealing.seal() == 0
    assert (sealing.verify().fault, sealing.verify().entry) == ("added", forged.pk)


def test_a_kept_head_tells_that_the_end_was_cut_off() -> None:
    done(2)
    sealing.seal()
    kept = sealing.head()
    audit.record(actor=None, action="late.done")
    sealing.seal()
    assert "Whole since" in verified("--head", kept)
    run("DELETE FROM core_auditseal WHERE n >= 2", past_the_guard=True)
    run("DELETE FROM core_auditentry WHERE id <> (SELECT entry FROM core_auditseal)",
        past_the_guard=True)  # fmt: skip
    assert "Whole since" in verified()
    with pytest.raises(CommandError, match="cut or rewritten"):
        verified("--head", kept)


def test_an_erasure_blackens_texts_is_sealed_again_and_the_rest_stays_provable() -> None:
    entry = audit.record(actor=None, action="suppression.added", detail={"note": "ada@example.com"})
    sealing.seal()
    changed = personal.scrub(
        table="core_auditentry", columns=("object_label", "detail"), expression="ada@example[.]com"
    )
    entry.refresh_from_db()
    assert (changed, entry.detail) == (1, {"note": "[…]"})
    assert entry.erased_at is not None
    assert sealing.verify().fault == ""  # between the erasure and its seal
    assert sealing.seal() == 1
    found = sealing.verify()
    assert (found.fault, found.links, found.erased) == ("", 2, 1)
    run("UPDATE core_auditentry SET detail = '{}' WHERE id = %s", entry.pk, past_the_guard=True)
    assert sealing.verify().fault == "changed"


def test_what_retention_removes_leaves_the_chain_whole_and_an_entry_that_says_so() -> None:
    old, new = done(2)
    run("UPDATE core_auditentry SET at = at - interval '400 days' WHERE id = %s", old.pk,
        past_the_guard=True)  # fmt: skip
    sealing.seal()
    retention.choose(kind="audit", days=365, actor=None, now=factories.now())
    retention.run(now=factories.now())
    assert not AuditEntry.objects.filter(pk=old.pk).exists()
    assert AuditEntry.objects.get(action=audit.LET_GO).detail["rows"] == 1
    sealing.seal()
    found = sealing.verify()
    assert (found.fault, found.let_go) == ("", 1)
    run("DELETE FROM core_auditentry WHERE id = %s", new.pk, past_the_guard=True)
    assert (sealing.verify().fault, sealing.verify().entry) == ("gone", new.pk)


def test_an_account_may_go_and_its_deeds_keep_its_name() -> None:
    entry = done(1)[0]
    sealing.seal()
    User.objects.get(username="ada").delete()
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_label, sealing.verify().fault) == (None, "ada", "")


def test_a_key_from_before_still_proves_what_it_sealed(settings) -> None:
    done(1)
    sealing.seal()
    before = settings.AUDIT_KEYS
    settings.AUDIT_KEYS = [b"n" * 32, *before]
    audit.record(actor=None, action="late.done")
    sealing.seal()
    assert sealing.verify().fault == ""
    settings.AUDIT_KEYS = [b"n" * 32]
    assert sealing.verify().fault == "key"
