"""A broken line is a fault at its own line; every other line is read, whatever the block size."""

import csv
import gzip
import io
import lzma
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.preprocess import packing, records
from ingestion.preprocess.faults import Unreadable

ROWS = b"a,b,c\n" + b"".join(b"%d,x,%d\n" % (n, n * 2) for n in range(2, 9))
BLOCKS = [None, 16, 7, 1]


@pytest.mark.parametrize("block", BLOCKS)
def test_an_unterminated_quote_at_row_10_swallows_no_later_row(scan, block) -> None:
    content = ROWS + b'9,"never closed,18\n' + b"".join(b"%d,y,1\n" % n for n in range(10, 40))
    good, bad = scan(content, width=3, block=block)
    assert bad == [(9, "open_quote")]
    assert [line for line, _ in good] == [*range(2, 9), *range(10, 40)]


@pytest.mark.parametrize("block", BLOCKS)
def test_an_unterminated_quote_before_quoted_rows_costs_one_row(scan, block) -> None:
    content = b'a,b,c\n1,"open,2\n3,"x, y",4\n5,"",6\n7,"said ""no""",8\n'
    good, bad = scan(content, width=3, block=block)
    assert bad == [(2, "open_quote")]
    assert [raw for _, raw in good] == ['3,"x, y",4', '5,"",6', '7,"said ""no""",8']


@pytest.mark.parametrize("block", BLOCKS)
def test_a_line_break_inside_quotes_belongs_to_its_record(scan, block) -> None:
    good, bad = scan(b'a,b\n1,"two\nlines"\n\n3,4\n', width=2, block=block)
    assert (good, bad) == ([(2, '1,"two\nlines"'), (5, "3,4")], [])


def test_short_and_long_rows_are_faults_and_the_rest_goes_on(scan) -> None:
    good, bad = scan(b"a,b,c\n1,2\n1,2,3\n1,2,3,4\n", width=3)
    assert good == [(3, "1,2,3")]
    assert bad == [(2, "field_count"), (4, "field_count")]


@pytest.mark.parametrize("row", [b'a"b,1', b'"a"b,1', b'"a" ,1'])
def test_a_quote_where_none_may_be_is_a_fault(scan, row) -> None:
    good, bad = scan(b"x,y\n" + row + b"\n5,6\n", width=2)
    assert (good, bad) == ([(3, "5,6")], [(2, "stray_quote")])


def test_a_zero_byte_is_a_fault_of_its_line(scan) -> None:
    good, bad = scan(b'x,y\n1,\0\n"\0",2\n5,6\n', width=2)
    assert (good, bad) == ([(4, "5,6")], [(2, "nul_byte"), (3, "nul_byte")])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", BLOCKS)
def test_every_kind_of_line_end_counts_the_same_rows(scan, end, block) -> None:
    good, bad = scan(end.join([b"x,y", b"1,2", b"3,4"]), width=2, block=block)
    assert (good, bad) == ([(2, "1,2"), (3, "3,4")], [])


def test_a_line_that_does_not_decode_is_a_fault_with_its_byte(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("x,y\ncafé,1\n".encode() + "café,2\n".encode("latin-1") + b"z,3\n")
    (batch,) = records.scan(path, encoding="utf-8", delimiter=",", columns=2, header=True)
    assert batch.line.tolist() == [2, 4]
    assert [(f.line, f.code, f.facts["byte"], f.facts["value"]) for f in batch.faults] == [
        (3, "undecodable", 4, "0xe9")
    ]
    assert batch.faults[0].raw == "caf\\xe9,2"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be", "gb18030", "shift_jis"])
def test_other_encodings_become_the_same_text(scan, encoding) -> None:
    text = "名,x\n日本,1\n" if encoding in ("gb18030", "shift_jis") else "é,x\nçà,1\n"
    good, bad = scan(text.encode(encoding), width=2, encoding=encoding, block=5)
    assert (good, bad) == ([(2, text.split("\n")[1])], [])


def test_a_field_of_50_mb_is_a_fault_and_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.write(b"x,y\n1,2\n3,")
        for _ in range(50):
            file.write(b"z" * 1_000_000)
        file.write(b"\n5,6\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batches = list(records.scan(path, encoding="utf-8", delimiter=",", columns=2, header=True))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert [line for batch in batches for line in batch.line.tolist()] == [2, 4]
    faults = [fault for batch in batches for fault in batch.faults]
    assert [(f.line, f.code, f.facts) for f in faults] == [(3, "line_too_long", {"megabytes": 50})]
    assert len(faults[0].raw) == 2000
    assert grown < 40_000  # kB


def test_the_same_records_can_be_left_out_again(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(
        b"a,b\n" + b"".join(b"%d,1\n" % n if n % 3 else b"%d\n" % n for n in range(40))
    )

    def lines(left_out: int) -> list[int]:
        batches = records.scan(
            path, encoding="utf-8", delimiter=",", columns=2, header=True, block=32
        )
        return sorted(
            line
            for batch in records.skip(batches, left_out)
            for line in [*batch.line.tolist(), *(fault.line for fault in batch.faults)]
        )

    everything = lines(0)
    assert everything == list(range(2, 42))
    for left_out in range(41):
        assert lines(left_out) == everything[left_out:]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00" + b"nonsense" * 20)
    with pytest.raises(Unreadable) as refused:
        list(packing.pieces(path))
    assert refused.value.code == "damaged_archive"


cells = st.text(
    alphabet=st.characters(exclude_characters="\r\0", exclude_categories=("Cs",)), max_size=12
)


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=30),
    block=st.sampled_from([None, 64, 11]),
)
def test_whatever_a_csv_writer_writes_is_read_back_row_for_row(
    tmp_path_factory, rows, block
) -> None:
    rows = [row for row in rows if any(row)]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    path.write_bytes(text.getvalue().encode())
    raws = []
    for batch in records.scan(
        path, encoding="utf-8", delimiter=",", columns=3, header=True, block=block
    ):
        assert batch.faults == []
        raws += [batch.raw(i) for i in range(len(batch.line))]
    read = [next(csv.reader(io.StringIO(raw + "\n", newline=""), strict=True)) for raw in raws]
    assert read == rows


def test_an_archive_that_unpacks_to_far_more_than_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xz"
    path.write_bytes(lzma.compress(b"1,2\n" * 20_000_000, preset=0))
    with pytest.raises(Unreadable) as refused:
        sum(len(piece) for piece in packing.pieces(path))
    assert refused.value.code == "too_much_unpacked"


def test_no_more_than_the_limit_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "long.gz"
    path.write_bytes(gzip.compress(b"1,2\n" * 1_000_000))
    seen: list[int] = []
    with pytest.raises(Unreadable):
        seen.extend(len(p) for p in packing.pieces(path, size=65_536, limit=1_000_000))
    assert sum(seen) <= 1_000_000
