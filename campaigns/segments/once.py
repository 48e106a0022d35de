"""What rules need beside themselves, read once for a page that asks about the same people often.

That is the moment days count back from, the rules of segments that a rule names, and the names in
it. Outside of `reading` nothing is kept.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
_kept: ContextVar[dict[Hashable, object] | None] = ContextVar("kept", default=None)


@contextmanager
def reading() -> Iterator[None]:
    """Until its end, what was read once is not read again."""
    token = _kept.set({} if _kept.get() is None else _kept.get())
    try:
        yield
    finally:
        _kept.reset(token)


def keep(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` gives, or what it gave before in the same reading."""
    kept = _kept.get()
    if kept is None:
        return make()
    if key not in kept:
        kept[key] = make()
    return kept[key]  # type: ignore[return-value]


def has(key: Hashable) -> bool:
    """Whether it was read in this reading."""
    kept = _kept.get()
    return kept is not None and key in kept


def put(known: Mapping[Hashable, object]) -> None:
    """Let what was read together be found by whoever asks for one of it."""
    if (kept := _kept.get()) is not None:
        kept.update(known)
