"""Every workload against its limit: one JSON line each, as soon as it is known."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketing import embedded
from models_ml.benchmarks import shops

MODULES = (
    "ingestion.benchmarks.workloads",
    "models_ml.benchmarks.features",
    "models_ml.benchmarks.insights",
    "models_ml.benchmarks.cohorts",
    "models_ml.benchmarks.scores",
    "models_ml.benchmarks.predictions",
    "models_ml.benchmarks.tabular",
    "models_ml.benchmarks.drift",
    "models_ml.benchmarks.trees",
    "models_ml.benchmarks.lifetime",
    "models_ml.benchmarks.reasons",
    "models_ml.benchmarks.uplift",
    "models_ml.benchmarks.demand",
    "models_ml.benchmarks.recommenders",
    "models_ml.benchmarks.steps",
    "models_ml.benchmarks.race",
    "models_ml.benchmarks.sequences",
    "models_ml.benchmarks.literature",
    "recommendations.benchmarks",
    "recommendations.bench_live",
    "recommendations.bench_offers",
    "campaigns.answers.benchmarks",
    "campaigns.reporting.benchmarks",
    "campaigns.segments.benchmarks",
    "campaigns.journeys.benchmarks",
    "campaigns.benchmarks.rendering",
    "campaigns.benchmarks.sending",
    "campaigns.benchmarks.ads",
    "marketing.benchmarks",
    "marketing.bench_pages",
    "marketing.bench_soak",
)
SIZES = ("small", "middle", "full")
# Those that are measured at a size between as well, so that it can be drawn how their cost grows.
GROWING = {
    "import.orders",
    "import.events",
    "score.customers",
    "offers.plan",
    "segment.count_totals",
    "audience.snapshot",
    "mail.send",
    "journey.steps",
}


class Command(BaseCommand):
    help = "Run the workloads (ONLY=name for one, SIZE=full for the large shop)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default=os.environ.get("ONLY", ""))
        parser.add_argument("--size", default=os.environ.get("SIZE", "") or SIZES[0])
        parser.add_argument("--keep", default=os.environ.get("KEEP", ""), metavar="FOLDER")
        parser.add_argument("--here", metavar="NAME", help="run one on the database given")

    def handle(
        self, *args: Any, only: str, size: str, keep: str, here: str | None, **options: Any
    ) -> None:
        modules = [import_module(module) for module in MODULES]
        workloads = {name: work for module in modules for name, work in module.WORKLOADS.items()}
        # Some take an hour: they run when they are named, and not among the others.
        asked_for = {name for module in modules for name in getattr(module, "ON_REQUEST", ())}
        if size not in SIZES:
            raise CommandError(f"SIZE={size} is not a size. Choose one of: {', '.join(SIZES)}.")
        if here:
            found = workloads[here](size=size)
            for line in found if isinstance(found, list) else [found]:
                self.stdout.write(json.dumps(line))
            return
        chosen = choose(only, list(workloads), asked_for)
        if chosen and size == "middle" and not (chosen := [n for n in chosen if n in GROWING]):
            raise CommandError(
                f"{only} has no middle size. These have: {', '.join(sorted(GROWING))}."
            )
        if not chosen:
            raise CommandError(
                f"There is no workload {only}. Choose one of: {', '.join(workloads)}."
            )
        failed = self._run(chosen, size, keep)
        if failed:
            raise CommandError(f"These did not run to their end: {', '.join(failed)}.")

    def _run(self, chosen: list[str], size: str, keep: str) -> list[str]:
        """Each workload in a process and a database of its own, on durable servers that are thrown
        away, or on those in a folder that keeps simulated shops (`models_ml.benchmarks.shops`).
        """
        failed = []
        folder = Path(keep).resolve() if keep else embedded.reachable_temporary_folder()
        try:
            with embedded.Servers(folder) as servers:
                base = {
                    **os.environ,
                    "PERENNIAL_VAR": str(folder / "var"),
                    "DATABASE_URL": servers.database_url,
                    "REDIS_URL": servers.redis_url,
                    "STATEMENT_TIMEOUT_MS": "0",
                    "LOG_LEVEL": "WARNING",
                    shops.KEPT: "1" if keep else "",
                }
                self._manage(base, "prepare")
                for number, name in enumerate(chosen):
                    url = _copy(servers.database_url, f"bench_{number}")
                    done = self._manage(
                        {**base, "DATABASE_URL": url}, "bench", "--here", name, "--size", size
                    )
                    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
                    for line in lines:
                        self.stdout.write(line)
                    if done.returncode or not lines:
                        failed.append(name)
                        self.stderr.write(done.stderr[-3000:])
                    self.stdout.flush()
                    _drop(servers.database_url, f"bench_{number}")
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        return failed

    def _manage(
        self, environment: dict[str, str], *arguments: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def choose(only: str, names: list[str], asked_for: set[str]) -> list[str]:
    """The workloads that ONLY means; without it all but those that must be asked for."""
    return [name for name in names if (_named(only, name) if only else name not in asked_for)]


def _named(only: str, name: str) -> bool:
    """Whether ONLY means this workload: its name, its family, or one line of several it prints."""
    return only in (name, name.split(".")[0]) or only.split(".")[0] == name


def _copy(url: str, name: str) -> str:
    """A database with the same empty tables; its URL."""
    _execute(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _execute(url, f"CREATE DATABASE {name} TEMPLATE perennial")
    return url.rsplit("/", 1)[0] + f"/{name}"


def _drop(url: str, name: str) -> None:
    _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url.rsplit("/", 1)[0] + "/postgres")
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)
