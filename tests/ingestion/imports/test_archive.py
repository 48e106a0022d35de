"""Raw files are packed, kept for a while, then deleted; a person can be taken out of them."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from ingestion.imports import archive, starting, uploads
from ingestion.models import Customer, ImportJob, OrderLine, RecipeRun, Reject
from ingestion.preprocess import files
from ingestion.recipes import asking
from marketing.core import jobs
from marketing.core.errors import Conflict, NotFound
from tests.ingestion.conftest import NOW
from tests.ingestion.imports.test_formats import FORMATS, PACKINGS

pytestmark = pytest.mark.django_db
HEAD = b"order,sku,qty,date,price,email,phone\n"
LINES = (
    b"1,A,2,2011-01-05,3.50,ada@example.com,\n"
    b"2,B,2,2011-01-05,3.50,bob@example.com,+442079460018\n"
    b"3,B,x,2011-01-05,3.50,ADA@example.com,\n"
    b'4,"B\nC",1,2011-01-06,3.50,ada@example.com,\n'
    b"5,C,1,2011-01-06,3.50,not-ada@example.com,+44 20 7946 0018\n"
)


def path_of(record: ImportJob) -> Path:
    return Path(settings.MEDIA_ROOT) / record.path


def read_again(record: ImportJob) -> list[tuple[int, str]]:
    """(line, text) of the rows that a further run would read."""
    record = ImportJob.objects.get(pk=record.pk)
    shape = uploads.shape_of(record)
    return [
        (int(line), batch.raw(i))
        for batch in files.batches(uploads.path_of(record), shape, wanted=range(shape.width))
        for i, line in enumerate(batch.line)
    ]


def test_the_file_of_an_ended_import_is_packed_and_reads_the_same(bring) -> None:
    record = bring(HEAD + LINES)
    before = read_again(record)
    assert archive.pack_due(now=NOW) == 1
    assert gzip.decompress(path_of(record).read_bytes()) == HEAD + LINES
    assert read_again(record) == before
    assert archive.pack_due(now=NOW) == 0


@pytest.mark.parametrize("packing", ["gz", "xz", "zip"])
def test_what_came_packed_is_left_as_it_is(bring, packing) -> None:
    content = PACKINGS[packing](HEAD + LINES)
    record = bring(content)
    archive.pack_due(now=NOW)
    assert path_of(record).read_bytes() == content


def test_a_file_that_was_not_imported_yet_is_not_packed() -> None:
    record = uploads.receive(chunks=[HEAD + LINES], name="f.csv", user=None, now=NOW)
    assert archive.pack_due(now=NOW) == 0
    assert path_of(record).read_bytes() == HEAD + LINES


def test_files_go_after_their_time_and_their_import_stays(bring) -> None:
    record = bring(HEAD + LINES)
    ended = ImportJob.objects.get(pk=record.pk).finished_at
    with override_settings(IMPORT_RAW_DAYS=30):
        assert archive.prune(now=ended + timedelta(days=29)) == 0
        assert archive.prune(now=ended + timedelta(days=31)) == 1
    assert not path_of(record).is_file()
    record.refresh_from_db()
    assert (record.state, record.stored, record.path) == ("done", 4, "")
    with pytest.raises(NotFound) as refused:
        uploads.path_of(record)
    assert refused.value.code == "raw_pruned"


def test_an_upload_that_nobody_started_goes_after_a_week() -> None:
    waiting = uploads.receive(chunks=[HEAD + LINES], name="f.csv", user=None, now=NOW)
    path = path_of(waiting)
    assert archive.prune(now=NOW + timedelta(days=6)) == 0
    assert archive.prune(now=NOW + timedelta(days=8)) == 1
    assert (path.exists(), ImportJob.objects.count()) == (False, 0)


def test_what_a_crash_left_behind_goes_after_a_day(bring) -> None:
    record = bring(HEAD + LINES)
    stray = path_of(record).with_name("unpacked-abc")
    stray.write_bytes(b"x")
    ended = ImportJob.objects.get(pk=record.pk).finished_at
    assert archive.prune(now=ended) == 0
    assert archive.prune(now=ended + timedelta(days=2)) == 1
    assert (stray.exists(), path_of(record).exists()) == (False, True)


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (["ada@example.com"], [2, 4, 5]),
        (["+442079460018"], [3, 7]),
        (["bob@example.com", "ada@example.com"], [2, 3, 4, 5]),
        (["example.com"], []),
        (["da@example.com"], []),
        ([""], []),
        ([], []),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_lines_about_a_person_are_found_by_whole_names(bring, names, lines, packed) -> None:
    record = bring(HEAD + LINES)
    if packed:
        archive.pack_due(now=NOW)
    found = archive.lines_about(names=names)
    assert [m.first for m in found.get(record.pk, [])] == lines


def test_a_person_is_taken_out_and_every_other_line_keeps_its_number(bring) -> None:
    record = bring(HEAD + LINES)
    others = [(line, raw) for line, raw in read_again(record) if line in (3, 7)]
    assert archive.strip(import_job_id=record.pk, names=["ada@example.com"]) == 3
    text = gzip.decompress(path_of(record).read_bytes())
    assert b"ada@example.com" not in text.lower().replace(b"not-ada@", b"")
    assert read_again(record) == others
    reject = Reject.objects.get(import_job=record)
    assert (reject.raw, reject.message) == ("", "Erased on request.")
    assert "ada@" not in str(ImportJob.objects.get(pk=record.pk).report).replace("not-ada@", "")


@pytest.mark.parametrize("form", ["jsonl", "parquet", "xlsx", "semicolon"])
@pytest.mark.parametrize("packing", ["plain", "gz", "zip"])
def test_a_person_is_taken_out_of_files_of_every_format(bring, form, packing) -> None:
    record = bring(PACKINGS[packing](FORMATS[form]()), timezone="UTC")
    assert archive.strip(import_job_id=record.pk, names=["17850"]) == 2
    assert archive.lines_about(names=["17850"]) == {}
    assert len(read_again(record)) == 3
    assert all("17851" in raw for _, raw in read_again(record))


def test_an_import_that_stopped_midway_goes_on_right_after_a_person_was_taken_out() -> None:
    record = uploads.receive(
        chunks=[HEAD + LINES], name="f", kind="orders", source_name="s", user=None, now=NOW
    )
    job = starting.start(record=record, now=NOW)
    ImportJob.objects.filter(pk=record.pk).update(state="cancelled", offset=2, received=2, stored=2)
    with pytest.raises(Conflict):
        archive.strip(import_job_id=record.pk, names=["ada@example.com"])
    jobs.cancel(job_id=job.pk)
    archive.strip(import_job_id=record.pk, names=["ada@example.com"])
    jobs.retry(job_id=job.pk)
    jobs.run(job_id=job.pk)
    record.refresh_from_db()
    assert (record.state, record.received, record.stored) == ("done", 3, 3)
    assert OrderLine.objects.get().order.external_id == "5"
    assert not Customer.objects.filter(email="ada@example.com").exists()


def test_a_run_again_that_stopped_midway_goes_on_right_after_a_person_was_taken_out(bring) -> None:
    record = bring(HEAD + LINES)
    run = asking.repeat(record=record, version=None, user=None)
    RecipeRun.objects.update(offset=2)
    with pytest.raises(Conflict):
        archive.strip(import_job_id=record.pk, names=["ada@example.com"])
    assert path_of(record).read_bytes() == HEAD + LINES
    jobs.cancel(job_id=run.job_id)
    archive.strip(import_job_id=record.pk, names=["ada@example.com"])
    run.refresh_from_db()
    assert run.offset == 1  # of the two rows that were done, one is gone
    jobs.retry(job_id=run.job_id)
    jobs.run(job_id=run.job_id)
    run.refresh_from_db()
    assert (run.offset, run.finished_at is None) == (2, False)


def test_a_file_that_is_being_tried_is_left_as_it_is() -> None:
    record = uploads.receive(
        chunks=[HEAD + LINES], name="f", kind="orders", source_name="s", user=None, now=NOW
    )
    job = starting.try_out(record=record, now=NOW)
    with pytest.raises(Conflict):
        archive.strip(import_job_id=record.pk, names=["ada@example.com"])
    jobs.cancel(job_id=job.pk)
    assert archive.strip(import_job_id=record.pk, names=["ada@example.com"]) == 3


def test_names_with_signs_of_patterns_are_taken_as_text(bring) -> None:
    bring(HEAD + LINES)
    assert archive.lines_about(names=[".*", "(", "a+b@example.com", "[0-9]"]) == {}
