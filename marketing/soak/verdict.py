"""What follows from a day's looks: whether memory, tables and queues stay level, and how it went.

Growth is the slope of Theil and Sen (the median of the slopes between all pairs of looks; Sen 1968,
"Estimates of the regression coefficient based on Kendall's tau") over the last two thirds of the
time: the first third fills caches, and the median does not mind the hour's few hard jobs.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from marketing.soak.client import Book
from marketing.soak.counts import Pair
from marketing.soak.watching import FLAT, Look

Line = dict[str, Any]
WARM = 1 / 3
# A day may add a tenth of what a program holds, or this many megabytes; models come and go.
MOST_GROWTH, LEAST_MEGABYTES = 0.10, 10.0
TRAINER, TRAINER_MEGABYTES = "worker-train", 1_600.0
# A table whose rows go again may be so many times as large as after the warm-up, and so much more.
MOST_TIMES, LEAST_BYTES = 1.5, 8_000_000
MOST_LAG_SECONDS, MOST_CONNECTIONS = 10.0, 0.8
LEAST_LOOKS = 5


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of Theil and Sen of (x, y); 0 where fewer than two x differ."""
    slopes = [(b - a) / (y - x) for (x, a), (y, b) in combinations(points, 2) if x != y]
    return statistics.median(slopes) if slopes else 0.0


def settled(looks: Sequence[Look]) -> list[Look]:
    """The looks after the warm-up."""
    return list(looks[int(len(looks) * WARM) :])


def memory(looks: Sequence[Look]) -> list[Line]:
    """Of each program: megabytes an hour of all its processes, and of one that lives long."""
    warm = settled(looks)
    lines = []
    for name in sorted({name for look in warm for name in look.megabytes}):
        points = [
            (look.at / 3600, sum(look.megabytes[name].values()))
            for look in warm
            if name in look.megabytes
        ]
        held = [megabytes for _at, megabytes in points]
        level, grows = statistics.median(held), slope(points)
        if name == TRAINER:
            value, unit, limit = max(held), "MB at most", TRAINER_MEGABYTES
        else:
            value, unit = grows, "MB an hour"
            limit = max(MOST_GROWTH * level, LEAST_MEGABYTES)
        line = _line(f"soak.day.memory.{name}", value, unit, limit, len(points))
        lines.append(
            line
            | {
                "level": round(level, 1),
                "most": round(max(held), 1),
                "slope": round(grows, 1),
                "each": _each(warm, name),
            }
        )
    return lines


def _each(looks: Sequence[Look], name: str) -> dict[str, float]:
    """Of the processes of a program that were looked at often: megabytes an hour, by process id."""
    lives: dict[int, list[tuple[float, float]]] = {}
    for look in looks:
        for pid, megabytes in look.megabytes.get(name, {}).items():
            lives.setdefault(pid, []).append((look.at / 3600, megabytes))
    long = {pid: points for pid, points in lives.items() if len(points) >= LEAST_LOOKS}
    steep = sorted(long, key=lambda pid: -slope(long[pid]))[:4]
    return {str(pid): round(slope(long[pid]), 1) for pid in steep}


def tables(looks: Sequence[Look]) -> Line:
    """How many times as large the tables that ought to stay level became after the warm-up."""
    first, last = settled(looks)[0].bytes, looks[-1].bytes
    times = {
        name: (last[name] - LEAST_BYTES) / first[name]
        for name in FLAT
        if first.get(name) and last.get(name)
    }
    worst = max(times, key=lambda name: times[name], default="")
    grown = {name: size - first.get(name, 0) for name, size in last.items()}
    most = sorted(grown, key=lambda name: -grown[name])[:8]
    value = max(times.get(worst, 0.0), 0.0)
    return _line("soak.day.tables", value, "times as large", MOST_TIMES, len(times)) | {
        "worst": worst,
        "flat": {name: [first[name], last[name]] for name in times},
        "grew_most": {name: grown[name] for name in most},
        "files": {
            name: size - looks[0].files.get(name, 0) for name, size in looks[-1].files.items()
        },
    }


def queues(looks: Sequence[Look], after: Sequence[Look]) -> Line:
    """What still waits when nothing more comes in; `after` are the looks since then."""
    names = sorted({name for look in looks for name in look.queues})
    left = {
        name: min((look.queues.get(name, 0.0) for look in after), default=0.0) for name in names
    }
    most = {name: max(look.queues.get(name, 0.0) for look in looks) for name in names}
    return none("soak.day.queues", sum(left.values()), "rows and tasks that wait", len(looks)) | {
        "left": {name: value for name, value in left.items() if value},
        "most": {name: value for name, value in most.items() if value},
        "seconds": round(after[-1].at - looks[-1].at, 1) if after else 0.0,
        "oldest_job": max(_told(look, "perennial_jobs_oldest_wait_seconds") for look in looks),
        "inbox_oldest": round(
            max(_told(look, "perennial_inbox_oldest_seconds") for look in looks), 2
        ),
    }


def _told(look: Look, family: str) -> float:
    return max((value for name, value in look.told.items() if name.startswith(family)), default=0.0)


def connections(looks: Sequence[Look]) -> Line:
    """The most connections to the database, of those that it lets in."""
    held = [look.told.get("perennial_database_connections", 0.0) for look in looks]
    lets_in = max(look.told.get("perennial_database_connections_max", 100.0) for look in looks)
    points = [
        (look.at / 3600, look.told.get("perennial_database_connections", 0.0))
        for look in settled(looks)
    ]
    return _line(
        "soak.day.connections", max(held), "at once", MOST_CONNECTIONS * lets_in, len(held)
    ) | {"slope": round(slope(points), 1)}


def arrived(pairs: Sequence[Pair]) -> Line:
    """By how many what was taken and what is there differ."""
    apart = sum(pair.apart for pair in pairs)
    return none("soak.day.lost", apart, "lost or twice", sum(pair.taken for pair in pairs)) | {
        "counts": {pair.what: [pair.taken, pair.there] for pair in pairs}
    }


def lag(seconds: Sequence[float]) -> Line:
    """From a person's event to their place in a segment."""
    many = sorted(seconds) or [0.0]
    line = _line("soak.day.lag", _part(many, 0.99), "s, 99th of 100", MOST_LAG_SECONDS, len(many))
    return line | {"p50": round(_part(many, 0.5), 2), "most": round(many[-1], 2)}


def answers(book: Book, seconds: float) -> list[Line]:
    """Each kind of request; then the requests without an answer or with one of 500 and above."""
    lines: list[Line] = []
    for kind, taken in sorted(book.milliseconds.items()):
        many = sorted(taken)
        lines.append(
            {
                "name": f"soak.day.answers.{kind}",
                "value": round(_part(many, 0.99), 1),
                "unit": "ms, 99th of 100",
                "n": len(many),
                "limit": None,
                "peer": None,
                "ratio": None,
                "runs": 1,
                "p50": round(_part(many, 0.5), 1),
                "statuses": {str(s): n for s, n in sorted(book.statuses[kind].items())},
            }
        )
    asked = sum(len(taken) for taken in book.milliseconds.values())
    lines.append(
        none("soak.day.errors", book.faults(), "answers of 500 and above, or none", asked)
        | {
            "refused": book.refusals(),
            "first": book.refused,
            "a_second": round(asked / seconds, 1),
            "counts": dict(Counter(book.counts)),
        }
    )
    return lines


def _part(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def _line(name: str, value: float, unit: str, limit: float, n: int) -> Line:
    """`ratio` is the limit over the value: 1 is the limit, more is better, a hundred the most."""
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "n": n,
        "limit": {"what": "at most", "value": round(limit, 1)},
        "peer": None,
        "ratio": round(limit / max(value, limit / 100), 2),
        "runs": 1,
        "spread": 0.0,
    }


def none(name: str, value: float, unit: str, n: int) -> Line:
    """As `_line`, where there is to be none: the ratio is 1 then, and less for each."""
    line = _line(name, value, unit, 0.0, n) if value else _line(name, 0.0, unit, 1.0, n)
    return line | {
        "limit": {"what": "at most", "value": 0},
        "ratio": round(1 / (1 + value), 4),
    }
