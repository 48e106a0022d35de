"""Keep what `make bench` printed, and write the table of docs/performance.md from it.

    make bench ONLY=name | .venv/bin/python docs/performance.py [--busy]

Each workload's newest line is kept in docs/performance.json with its day and machine; --busy says
that the machine did other work meanwhile, so that only the ratio counts.
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
            kept[line["name"]] = {**line, "day": day, "machine": where, "busy": busy}


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


def growth(kept: dict[str, Line]) -> None:
    """Draw seconds against size where a rate was measured at three sizes or more."""
    sizes: dict[str, list[Line]] = defaultdict(list)
    for name, line in kept.items():
        stem, _colon, size = name.rpartition(":")
        if size.isdigit() and str(line.get("unit", "")).endswith("/s"):
            sizes[stem].append(line)
    for stem, lines in sizes.items():
        if len(lines) < 3:
            continue
        lines.sort(key=lambda line: line["n"])
        sides = {
            "ours": [(line["n"], line["n"] / line["value"]) for line in lines],
            "by hand": [(line["n"], line["n"] / line["limit"]["value"]) for line in lines],
        }
        across = lines[0]["unit"].removesuffix("/s")
        path = FOLDER / "images" / f"{stem.replace('.', '-')}-growth.svg"
        plots.write(path, stem, across, "seconds", sides)


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


def main() -> None:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    keep(sys.stdin.read().splitlines(), kept, busy="--busy" in sys.argv)
    short = {
        name: {k: v for k, v in line.items() if k not in ("curve", "params", "figures")}
        for name, line in kept.items()
    }
    KEPT.write_text(json.dumps(short, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    growth(short)
    page = PAGE.read_text()
    before, after = page.split(BEGIN, 1)[0], page.split(END, 1)[1]
    PAGE.write_text("\n".join([before + BEGIN, *table(short), END]) + after)


if __name__ == "__main__":
    main()
