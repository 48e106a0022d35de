"""What `manage.py up` says: a live table on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from marketing.core.models import Job
from marketing.demo import Stage

PLAIN_EVERY_PERCENT = 20
MARKS = {
    "done": ("✓", "green"),
    "running": ("●", "cyan"),
    "failed": ("✗", "red"),
    "waiting": ("·", "dim"),
}


@dataclass(frozen=True)
class Line:
    """One stage as it stands, in words."""

    mark: str
    title: str
    percent: int | None
    detail: str


def describe(stage: Stage) -> Line:
    """Step, rows and time left of a stage, from its job."""
    job = stage.job
    if stage.state == "waiting" or job is None:
        return Line(stage.state, stage.title, 100 if stage.state == "done" else None, "")
    if stage.state == "failed":
        return Line("failed", stage.title, None, job.error.splitlines()[0] if job.error else "")
    if stage.state == "done":
        return Line("done", stage.title, 100, _seconds(_length(job)))
    parts = []
    if job.state == Job.State.QUEUED:
        parts.append("waits for a worker")
    elif job.step_label:
        steps = f"step {job.step} of {job.steps}: " if job.steps > 1 else ""
        parts.append(f"{steps}{job.step_label}")
    if job.total:
        parts.append(f"{job.done:,} of {job.total:,} {job.unit}")
    elif job.done:
        parts.append(f"{job.done:,} {job.unit}")
    if job.seconds_left is not None:
        parts.append(f"about {_seconds(job.seconds_left)} left")
    return Line("running", stage.title, job.percent, ", ".join(parts))


def _length(job: Job) -> float:
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return (job.finished_at - job.started_at).total_seconds()


def _seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


class Screen:
    """Says things above a table of stages that is redrawn in place."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.live: Live | None = None
        self._said: dict[str, tuple[str, int]] = {}

    def say(self, text: str) -> None:
        if self.console.is_terminal:
            self.console.print(text)
        else:
            sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
            sys.stdout.flush()

    def show(self, stages: Sequence[Stage]) -> None:
        """Draw the stages; without a terminal say only what changed enough to be worth a line."""
        lines = [describe(stage) for stage in stages]
        if not self.console.is_terminal:
            self._say_changes(lines)
            return
        if self.live is None:
            self.live = Live(console=self.console, auto_refresh=False, transient=False)
            self.live.start()
        self.live.update(_table(lines), refresh=True)

    def _say_changes(self, lines: Sequence[Line]) -> None:
        for line in lines:
            level = (line.percent or 0) // PLAIN_EVERY_PERCENT
            step = line.detail.split(",")[0] if line.mark == "running" else ""
            state = (f"{line.mark}{step}", level)
            if line.mark == "waiting" or self._said.get(line.title) == state:
                continue
            self._said[line.title] = state
            percent = f" {line.percent}%" if line.percent is not None else ""
            detail = f" ({line.detail})" if line.detail else ""
            self.say(f"{line.title}: {line.mark}{percent}{detail}")

    def close(self) -> None:
        """Leave the table as it stands and go on with plain printing."""
        if self.live is not None:
            self.live.stop()
            self.live = None


def _table(lines: Sequence[Line]) -> Group:
    table = Table.grid(padding=(0, 2))
    for line in lines:
        mark, style = MARKS[line.mark]
        shown = line.percent is not None and line.mark == "running"
        table.add_row(
            Text(mark, style=style),
            Text(line.title, style="dim" if line.mark == "waiting" else ""),
            ProgressBar(total=100, completed=line.percent or 0, width=20) if shown else Text(""),
            Text(f"{line.percent}%" if shown else ""),
            Text(line.detail, style="red" if line.mark == "failed" else "dim"),
        )
    return Group(Text(""), table)
