"""A column of texts → points in time, many at once.

Texts of the usual fixed widths are read as arrays of digits. Whatever is odd in any way goes to
`values.moment` by itself, so the answers are those that it gives.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.preprocess import values
from ingestion.preprocess.texts import Ints

NONE = np.iinfo(np.int64).min
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = "0000-00-00T00:00:00"
_DIGITS = [place for place, sign in enumerate(_FORM) if sign == "0"]
_MARKS = {place: ord(sign) for place, sign in enumerate(_FORM) if sign in "-:"}
_ENDINGS = {19: b"", 20: b"Z", 25: b"+00:00"}


class Moments(Sequence[datetime | None]):
    """Points in time as microseconds since 1970; each becomes a datetime when it is asked for."""

    def __init__(self, micros: Ints) -> None:
        self.micros = micros

    def __len__(self) -> int:
        return len(self.micros)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Moments(self.micros[index])
        micros = int(self.micros[index])
        return None if micros == NONE else _EPOCH + timedelta(microseconds=micros)

    def __iter__(self) -> Iterator[datetime | None]:
        return map(self.__getitem__, range(len(self)))

    def stamps(self) -> list[str]:
        """Each as `isoformat` writes it, nothing as an empty text."""
        if len(self) and not (self.micros % 1_000_000).any():  # NONE is no whole second
            texts = np.datetime_as_string(self.micros.view("M8[us]").astype("M8[s]"))
            return [text + "+00:00" for text in texts.tolist()]
        return ["" if moment is None else moment.isoformat() for moment in self]


def micros_of(moment: datetime) -> int:
    """A point in time as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def read(
    texts: Sequence[str], *, style: str, zone: tzinfo, now: datetime | None = None
) -> tuple[Moments, list[str]]:
    """The moments and fault codes that `values.moment` finds, one for each text."""
    micros = np.full(len(texts), NONE, np.int64)
    faults = [""] * len(texts)
    limit = None if now is None else micros_of(now + values.FUTURE)
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    for size, ending in _ENDINGS.items():
        rows = np.flatnonzero(sizes == size)
        if not len(rows) or (not ending and (style != "iso" or str(zone) != "UTC")):
            continue
        same = texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()]
        joined = "".join(same)
        if joined.isascii():
            signs = np.frombuffer(joined.encode(), np.uint8).reshape(len(rows), size)
            micros[rows] = _of_digits(signs, ending, space=style == "iso", limit=limit)
    for row in np.flatnonzero(micros == NONE).tolist():
        found, faults[row] = values.moment(texts[row], style, zone, now)
        if found is not None:
            micros[row] = micros_of(found)
    return Moments(micros), faults


def _of_digits(signs: NDArray[np.uint8], ending: bytes, *, space: bool, limit: int | None) -> Ints:
    """Microseconds of the texts that are plain stamps in UTC since 1970; NONE for the others."""
    digits = signs[:, _DIGITS] - 48  # below "0" wraps around to large numbers
    fine = (digits <= 9).all(axis=1)
    for place, mark in _MARKS.items():
        fine &= signs[:, place] == mark
    fine &= (signs[:, 10] == ord("T")) | (space & (signs[:, 10] == ord(" ")))
    for place, mark in enumerate(ending, len(_FORM)):
        fine &= signs[:, place] == mark
    d = digits.astype(np.int64).T
    year = d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3]
    month, day, hour, minute, second = (d[i] * 10 + d[i + 1] for i in range(4, 14, 2))
    fine &= (year >= 1970) & (month >= 1) & (month <= 12) & (day >= 1)
    fine &= (hour <= 23) & (minute <= 59) & (second <= 59)
    months = np.where(fine, (year - 1970) * 12 + month - 1, 0)
    first = months.view("M8[M]").astype("M8[D]").view(np.int64)
    after = (months + 1).view("M8[M]").astype("M8[D]").view(np.int64)
    fine &= day <= after - first
    seconds = (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second
    micros = np.where(fine, seconds * 1_000_000, NONE)
    if limit is not None:
        micros[micros > limit] = NONE
    return micros
