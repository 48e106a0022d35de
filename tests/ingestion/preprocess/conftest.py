"""What cleaning does is tested on bytes and arrays alone."""

from pathlib import Path

import pytest

from ingestion.preprocess import columns, records


@pytest.fixture
def scan(tmp_path: Path):
    """scan(bytes, columns=n) → [(line, raw)], [(line, code)] over all batches."""

    def run(
        content: bytes,
        *,
        width: int,
        header: bool = True,
        encoding="utf-8",
        delimiter=",",
        block=None,
    ):
        path = tmp_path / "file.csv"
        path.write_bytes(content)
        good, bad = [], []
        for batch in records.scan(
            path, encoding=encoding, delimiter=delimiter, columns=width, header=header, block=block
        ):
            good += [(int(line), batch.raw(i)) for i, line in enumerate(batch.line)]
            bad += [(fault.line, fault.code) for fault in batch.faults]
            read = columns.read(
                batch, delimiter=delimiter, columns=width, mapping={"a": 0, "z": width - 1}
            )
            assert len(read["a"].codes) == len(batch.line)
        return good, bad

    return run


@pytest.fixture
def batch(tmp_path: Path):
    """batch(bytes, mapping) → (batch, columns) of a small file with a header."""

    def make(content: str, mapping: dict[str, int]):
        path = tmp_path / "rows.csv"
        path.write_text(content, encoding="utf-8")
        width = content.split("\n", 1)[0].count(",") + 1
        (found,) = records.scan(path, encoding="utf-8", delimiter=",", columns=width, header=True)
        return found, columns.read(found, delimiter=",", columns=width, mapping=mapping)

    return make
