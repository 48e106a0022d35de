"""Lists for ad networks: only who agreed, with every reason counted, and a log of who took what."""

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf

from campaigns import personal
from campaigns.ads import exporting, permission
from campaigns.jobs import ads as ad_jobs
from campaigns.models import AdExport, Segment
from campaigns.recipients import holdouts
from campaigns.segments import definitions
from ingestion import consent
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid, NotFound, Refused
from marketing.core.models import AuditEntry, Job
from marketing.core.personal import Subject
from tests import factories
from tests.campaigns.ads.conftest import agree

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def sha(text: Any) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


@pytest.fixture
def everybody() -> Segment:
    permission.add_purpose(user=None, now=NOW)
    return definitions.save(name="Everybody", rule={"all": []}, actor=None, now=NOW)


def write(segment: Segment, format: str = "google") -> AdExport:
    made = exporting.start(segment_id=segment.pk, format=format, user=factories.user(), now=NOW)
    exporting.write(export=made, report=lambda *_: None, now=NOW)
    Job.objects.filter(pk=made.job_id).update(state=Job.State.DONE)
    return made


def rows(export: AdExport) -> list[list[str]]:
    text = (Path(conf.MEDIA_ROOT) / export.file).read_text()
    return list(csv.reader(io.StringIO(text)))


def test_only_who_agreed_stands_on_it_and_only_hashes_do(everybody):
    yes, no, never = (factories.customer(name) for name in ("yes", "no", "never"))
    agree(yes)
    agree(no, granted=False)
    made = write(everybody)
    assert rows(made) == [
        ["Email", "Phone", "First Name", "Last Name", "Country", "Zip"],
        [sha(yes.email), "", "", "", "", ""],
    ]
    assert (made.meant, made.people, made.left_out) == (3, 1, {"no_consent": 2})
    assert never.pk


def test_agreeing_to_mail_is_not_agreeing_to_ads(everybody):
    factories.customer("mailed", consent=True)
    assert write(everybody).people == 0


def test_a_number_is_told_only_where_ads_were_agreed_to_for_numbers(everybody):
    both = factories.customer("both", phone="+442071838750")
    mail = factories.customer("mail", phone="+442071838751")
    agree(both, mail)
    agree(both, channel="sms")
    phones = {row[0]: row[1] for row in rows(write(everybody, "tiktok"))[1:]}
    assert phones == {sha(both.email): sha("442071838750"), sha(mail.email): ""}


def test_suppressed_addresses_hashes_and_domains_are_left_out(everybody):
    people = [factories.customer(name) for name in ("plain", "hash", "person")]
    agree(*people)
    consent.suppress(addresses=[str(people[0].email)], reason="complained", now=NOW)
    from ingestion.models import Suppression

    Suppression.objects.create(address=sha(people[1].email), kind="sha256", reason="imported")
    Suppression.objects.create(
        address=f"person:{people[2].pk}", kind="person", customer=people[2], channel="all",
        reason="manual",
    )  # fmt: skip
    made = write(everybody)
    assert (made.people, made.left_out) == (0, {"suppressed": 3})


def test_a_yes_that_has_run_out_counts_no_more(everybody):
    late = factories.customer("late")
    answer = consent.Answer(
        late.pk, True, NOW - timedelta(days=60), {"form": "x"},
        expires_at=factories.now() - timedelta(days=1),
    )  # fmt: skip
    consent.record(answers=[answer], purpose="ads", source="x", now=NOW - timedelta(days=60))
    assert write(everybody).left_out == {"no_consent": 1}


def test_people_kept_out_of_every_campaign_are_kept_out_of_ads_too(everybody):
    people = [factories.customer() for _n in range(60)]
    agree(*people)
    holdouts.keep(percent="20", anew=False, user=None, now=NOW)
    made = write(everybody)
    held = made.left_out["global_holdout"]
    assert 3 <= held <= 25
    assert made.people == 60 - held


def test_what_is_counted_beforehand_is_what_the_file_holds(everybody):
    people = [factories.customer() for _n in range(5)]
    agree(*people[:3])
    factories.customer("nowhere", email=None)
    assert exporting.counted(everybody) == {"": 3, "no_consent": 2, "no_address": 1}
    made = write(everybody, "meta")
    assert (made.people, made.meant) == (3, 6)


def test_a_merged_or_erased_person_stands_on_no_list(everybody):
    gone, merged, stays = (factories.customer(name) for name in ("gone", "merged", "stays"))
    agree(gone, merged, stays)
    gone.delete()
    type(merged).objects.filter(pk=merged.pk).update(merged_into=stays, email=None)
    assert [row[0] for row in rows(write(everybody))[1:]] == [sha(stays.email)]


def test_an_erasure_deletes_the_lists_that_somebody_stands_on(everybody):
    ada, ben = factories.customer("ada"), factories.customer("ben")
    agree(ada)
    of_ada = write(everybody)
    agree(ada, granted=False, channel="email")
    AdExport.objects.filter(pk=of_ada.pk).update(created_at=NOW)
    of_nobody = write(everybody, "meta")
    place = next(one for one in personal.PLACES if one.name == "ad_lists")
    assert place.erase is not None
    assert place.erase(Subject(numbers=(ben.pk,), emails=(str(ben.email),))) == 0
    assert place.erase(Subject(numbers=(ada.pk,), emails=(str(ada.email),))) == 1
    of_ada.refresh_from_db()
    of_nobody.refresh_from_db()
    assert (of_ada.state, of_nobody.state) == ("gone", "ready")
    with pytest.raises(NotFound):
        exporting.opened(export=of_ada, user=factories.user())


def test_an_erasure_is_not_complete_while_a_list_is_written_that_may_have_read_them(everybody):
    ada = factories.customer("ada")
    agree(ada)
    made = exporting.start(segment_id=everybody.pk, format="meta", user=factories.user(), now=NOW)
    place = next(one for one in personal.PLACES if one.name == "ad_lists")
    assert place.erase is not None
    subject = Subject(numbers=(ada.pk,), emails=(str(ada.email),))
    with pytest.raises(Refused) as refused:
        place.erase(subject)
    assert refused.value.code == "list_being_written"
    jobs.run(job_id=made.job_id or 0)
    assert place.erase(subject) == 1
    made.refresh_from_db()
    assert made.state == "gone"


def test_it_is_written_down_who_took_it_and_files_are_kept_for_a_day(everybody):
    agree(factories.customer("ada"))
    made = write(everybody)
    path = exporting.opened(export=made, user=factories.user())
    assert path.exists()
    made.refresh_from_db()
    assert (made.downloads, made.created_by_label) == (1, made.created_by.display_name)
    actions = AuditEntry.objects.values_list("action", flat=True)
    assert {"ads.exported", "ads.downloaded"} <= set(actions)
    assert exporting.tidy(now=NOW + timedelta(hours=23)) == 0
    assert exporting.tidy(now=NOW + timedelta(hours=25)) == 1
    assert not path.exists()
    assert AdExport.objects.get().people == 1


def test_without_the_purpose_nobody_can_be_handed_out():
    segment = definitions.save(name="Everybody", rule={"all": []}, actor=None, now=NOW)
    user = factories.user()
    with pytest.raises(Conflict) as refused:
        exporting.start(segment_id=segment.pk, format="google", user=user, now=NOW)
    assert refused.value.code == "no_purpose"
    for wrong in ({"format": "bing"}, {"segment_id": "no"}, {"segment_id": 10**30}):
        asked: Any = {"segment_id": segment.pk, "format": "google", **wrong}
        with pytest.raises(Invalid):
            exporting.start(user=user, now=NOW, **asked)


def test_a_worker_writes_it_and_a_stop_leaves_no_file(everybody, monkeypatch):
    agree(*[factories.customer() for _n in range(4)])
    made = exporting.start(segment_id=everybody.pk, format="google", user=factories.user(), now=NOW)
    jobs.run(job_id=made.job_id or 0)
    made.refresh_from_db()
    assert (made.state, made.people, Job.objects.get().state) == ("ready", 4, "done")

    def stop(*_: Any) -> None:
        raise jobs.Cancelled

    again = exporting.start(segment_id=everybody.pk, format="meta", user=factories.user(), now=NOW)
    monkeypatch.setattr(jobs.Running, "progress", stop)
    jobs.run(job_id=again.job_id or 0)
    again.refresh_from_db()
    assert again.state == "failed"
    assert ad_jobs is not None
    left = list((Path(conf.MEDIA_ROOT) / exporting.FOLDER).iterdir())
    assert [path.name for path in left] == [f"{made.public_id}.csv"]
