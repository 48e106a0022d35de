"""A column of text held as (codes, distinct texts), so that work on it touches each text once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Column:
    """`texts[codes[i]]` is the text of row i."""

    codes: Ints
    texts: list[str]

    def text(self, row: int) -> str:
        return self.texts[self.codes[row]]

    def read(self, reader: Callable[[str], tuple[T, str]]) -> tuple[list[T], list[str]]:
        """The reader's values and fault codes, one per distinct text."""
        pairs = [reader(text) for text in self.texts]
        return [value for value, _ in pairs], [fault for _, fault in pairs]

    def spread(self, per_text: Sequence[Any] | NDArray[Any], dtype: Any = object) -> NDArray[Any]:
        """Values per distinct text → values per row."""
        array = np.empty(len(per_text), dtype=dtype)
        array[:] = per_text
        return array[self.codes]


def column_of(texts: Iterable[str]) -> Column:
    """A column made of the texts of its rows."""
    index: dict[str, int] = {}
    codes = [index.setdefault(text, len(index)) for text in texts]
    return Column(np.array(codes, np.int64), list(index))
