"""Keep what `make bench` printed, and write the table of docs/performance.md from it.

    make bench ONLY=name | .venv/bin/python docs/performance.py [--busy]

Of each workload the newest line of its largest size is kept in docs/performance.json with its day
and machine, and of every size how long it took; --busy says that the machine did other work
meanwhile, so that only the ratio counts.
"""

import json
import os
import platform
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from models_ml.benchmarks import plots  # noqa: E402

KEPT, PAGE = FOLDER / "performance.json", FOLDER / "performance.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
GROWTH, END_OF_GROWTH = "<!-- growth -->", "<!-- end of growth -->"
Line = dict[str, Any]


def machine() -> str:
    """Processor and cores, as far as the system tells."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        model = named[0].split(":", 1)[1].strip() if named else model
    return f"{model}, {os.cpu_count()} cores"


def keep(printed: list[str], kept: dict[str, Line], *, busy: bool) -> None:
    """Take over the lines that hold a measurement."""
    day, where = datetime.now(UTC).date().isoformat(), machine()
    for text in printed:
        if not text.startswith("{"):
            continue
        line = json.loads(text)
        if "value" in line:
            before = kept.get(line["name"], {})
            sizes = before.get("sizes", {})
            for one in (before, line):
                if "value" in one and (seconds := _seconds(one)):
                    sizes = {**sizes, str(one["n"]): seconds}
            said = {**line, "day": day, "machine": where, "busy": busy}
            if sizes and before.get("n", 0) > line["n"]:
                said = before
            kept[line["name"]] = {**said, "sizes": sizes} if sizes else said


def _seconds(line: Line) -> list[float] | None:
    """What all of `n` took: with us, and at the limit where that is a rate too."""
    unit, n = str(line.get("unit", "")), line.get("n")
    if not isinstance(n, int) or n < 2:
        return None
    if unit.endswith("/s"):
        limit = line.get("limit")
        pace = limit.get("value") if isinstance(limit, dict) else None
        return [n / line["value"]] + ([n / pace] if pace else [])
    if unit == "ms":
        return [line["value"] / 1000]
    return None


def table(kept: dict[str, Line]) -> list[str]:
    """A row a workload, in the order of their names."""
    rows = ["| workload | measured | held against | ratio | beside | ratio | runs | day |"]
    rows.append("|---|--:|---|--:|---|--:|--:|---|")
    for name in sorted(kept):
        line = kept[name]
        limit, peer = _what(line.get("limit")), _what(line.get("peer"))
        if isinstance(line.get("limit"), int | float):  # what the peer reached is the limit
            limit, peer = f"{peer} {_number(line['limit'])}", ""
        rows.append(
            f"| `{name}`, n = {_number(line.get('n', ''))} |"
            f" {_number(line['value'])} {line.get('unit', '')} | {limit} |"
            f" {_ratio(line.get('ratio'))} | {peer} | {_ratio(line.get('peer_ratio'))} |"
            f" {line.get('runs', 1)} | {line['day']}{', busy' if line['busy'] else ''} |"
        )
    return rows


def growth(kept: dict[str, Line]) -> list[str]:
    """Draw seconds against size where three sizes or more were measured; the lines that show it."""
    sizes: dict[str, dict[int, list[float]]] = defaultdict(dict)
    units: dict[str, str] = {}
    for name, line in kept.items():
        stem, _colon, size = name.rpartition(":")
        found = line.get("sizes", {})
        if size.isdigit() and (seconds := _seconds(line)):
            found = {size: seconds}
        else:
            stem = name
        units[stem] = str(line.get("unit", "")).removesuffix("/s")
        sizes[stem] |= {int(n): seconds for n, seconds in found.items()}
    shown = []
    for stem, points in sorted(sizes.items()):
        if len(points) < 3:
            continue
        rows = sorted(points.items())
        sides = {"ours": [(n, seconds[0]) for n, seconds in rows]}
        if all(len(seconds) > 1 for _n, seconds in rows):
            sides["the limit"] = [(n, seconds[1]) for n, seconds in rows]
        across = units[stem] if units[stem] != "ms" else "people"
        name = f"{stem.replace('.', '-')}-growth.svg"
        plots.write(FOLDER / "images" / name, stem, across, "seconds", sides)
        shown.append(f"![Seconds of {stem} against {across}](images/{name})")
    return shown


def _what(side: Any) -> str:
    if isinstance(side, dict):
        told = f"{side.get('what', '')} {_number(side['value'])}" if "value" in side else ""
        return (told or str(side.get("what", ""))).strip().replace("|", "/")
    return str(side or "").replace("|", "/")


def _number(value: Any) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def _ratio(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else ""


def _put(page: str, begin: str, end: str, lines: list[str]) -> str:
    before, after = page.split(begin, 1)[0], page.split(end, 1)[1]
    return "\n".join([before + begin, *lines, end]) + after


def main() -> None:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    keep(sys.stdin.read().splitlines(), kept, busy="--busy" in sys.argv)
    short = {
        name: {k: v for k, v in line.items() if k not in ("curve", "params", "figures")}
        for name, line in kept.items()
    }
    KEPT.write_text(json.dumps(short, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    page = _put(PAGE.read_text(), BEGIN, END, table(short))
    PAGE.write_text(_put(page, GROWTH, END_OF_GROWTH, ["", *growth(short), ""]))


if __name__ == "__main__":
    main()
