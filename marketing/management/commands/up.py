"""The whole platform from one command: servers, tables, web, workers, clock, mail catcher."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from marketing import demo, startup
from marketing.core import beats, jobs
from marketing.embedded import ServerError, Servers
from marketing.supervisor import Program, Supervisor
from marketing.terminal import Screen

FIRST_PAGE_SECONDS = 60
SILENT_SECONDS = beats.SILENCE.total_seconds()
LONGEST_SILENT_SECONDS = 720.0


class Command(BaseCommand):
    help = "Start everything on this machine and stop it again with Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.began = time.monotonic()
        self.stop = threading.Event()
        self.presses = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self.screen = Screen()
        self.servers: Servers | None = None
        self.supervisor: Supervisor | None = None
        # Held here and handed down, so that the port stays ours while the mail catcher restarts.
        self.mail_socket: socket.socket | None = None
        # How long each silent queue's worker has from its last start.
        self.waits: dict[str, float] = {}
        try:
            self._start()
            self._stay()
        except (startup.StartError, ServerError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(_explain(error)) from error
        finally:
            self._stop_everything()

    def _ask_to_stop(self, *_: Any) -> None:
        self.presses += 1
        self.stop.set()
        if self.presses > 2:
            sys.exit("Stopped at once; the next start cleans up.")

    # --- start ---

    def _start(self) -> None:
        port = startup.read_port(os.environ.get("PORT") or "8000")
        self.address = f"http://127.0.0.1:{port}"
        self.with_demo = (os.environ.get("DEMO") or "1") != "0"
        var: Path = settings.VAR_DIR
        self.lock = startup.take_folder(var, self.address)
        startup.require_port(port)
        startup.require_space(var)
        self.servers, database, queue = startup.start_servers(var)
        os.environ.update(PERENNIAL_VAR=str(var), PORT=str(port), PYTHONUNBUFFERED="1")
        if self.with_demo:
            settings.BUSINESS_NAME = os.environ.setdefault("BUSINESS_NAME", "Online Retail")
        if "EMAIL_HOST" not in os.environ:
            self.mail_socket = startup.take_port(settings.EMAIL_PORT)
            settings.EMAIL_PORT = self.mail_socket.getsockname()[1]
            os.environ["EMAIL_PORT"] = str(settings.EMAIL_PORT)
        startup.use_servers(database, queue)
        self.supervisor = Supervisor(var / "log", self.screen.say)
        # The web server loads while the tables are made: on a first start both take seconds.
        self.supervisor.start(_web(port))
        applied = startup.migrate()
        # No worker runs yet, so whatever a job's row says, nobody of this machine works on it.
        jobs.release()
        login = startup.ensure_login(var / "demo.json", self.address)
        self._wait_for_first_page()
        if self.stop.is_set():
            return
        self.screen.say(f"Open {self.address}  ({time.monotonic() - self.began:.1f} s)")
        self.screen.say(
            f"Sign in as {login['login']} with {login['password']}  (also in {var / 'demo.json'})"
        )
        if applied:
            self.screen.say(f"The database was brought up to date: {applied} migrations.")
        for program in _background(self.mail_socket):
            self.supervisor.start(program)
        running = ", ".join(self.supervisor.processes())
        place = "" if self.servers is None else " with its own PostgreSQL and Valkey"
        self.screen.say(f"Running{place}: {running}. Ctrl-C stops everything.")

    def _wait_for_first_page(self) -> None:
        until = time.monotonic() + FIRST_PAGE_SECONDS
        while not self.stop.is_set():
            try:
                with urllib.request.urlopen(f"{self.address}/login/", timeout=10):
                    return
            except urllib.error.HTTPError as error:
                answer = f"it answered {error.code}"
            except (OSError, ValueError) as error:
                answer = str(error)
            if time.monotonic() > until:
                raise startup.StartError(
                    f"The web server did not show its first page in {FIRST_PAGE_SECONDS} s "
                    f"({answer}). Its log: {settings.VAR_DIR / 'log' / 'web.log'}"
                )
            self._supervisor.watch()
            self.stop.wait(0.1)

    @property
    def _supervisor(self) -> Supervisor:
        assert self.supervisor is not None
        return self.supervisor

    # --- stay ---

    def _stay(self) -> None:
        if self.with_demo and not self.stop.is_set():
            demo.begin(now=timezone.now())
            self._show_demo()
        while not self.stop.wait(1.0):
            self._look_after()

    def _show_demo(self) -> None:
        """Draw the stages until the last is done or one has failed for good."""
        while not self.stop.wait(0.5):
            self._look_after()
            try:
                stages = demo.stages()
            except (OperationalError, InterfaceError):
                connection.close()
                continue
            self.screen.show(stages)
            if all(stage.state == "done" for stage in stages):
                self.screen.close()
                self.screen.say(f"demo ready in {time.monotonic() - self.began:.0f} s")
                return
            failed = [stage for stage in stages if stage.state == "failed"]
            if failed:
                self.screen.close()
                self.screen.say(
                    f"The demo stopped at “{failed[0].title}”. The platform goes on running; see "
                    f"the reason and try again at {self.address}/jobs/"
                )
                return

    def _look_after(self) -> None:
        self._supervisor.watch()
        try:
            for name in self.servers.mend() if self.servers else []:
                self.screen.say(f"{name} ended and was started again on its data")
                connection.close()
            silent = beats.silent(now=timezone.now())
            self.waits = {queue: self.waits[queue] for queue in silent if queue in self.waits}
            for queue in silent:
                name, wait = f"worker-{queue}", self.waits.get(queue, SILENT_SECONDS)
                if self._supervisor.age(name) > wait:
                    said = f"{name} gave no sign of life for {wait:.0f} s and is started again"
                    self.screen.say(said)
                    self._supervisor.restart(name)
                    # On a machine that is busy a worker may need longer than that to begin at all.
                    self.waits[queue] = min(2 * wait, LONGEST_SILENT_SECONDS)
        except (OperationalError, InterfaceError):
            connection.close()
        except ServerError as error:
            self.screen.say(str(error))

    # --- stop ---

    def _stop_everything(self) -> None:
        self.screen.close()
        if self.supervisor is None and self.servers is None:
            return
        self.screen.say("Stopping…")
        if self.supervisor is not None:
            self.supervisor.stop()
            # Without a database the rows' leases run out by themselves.
            with contextlib.suppress(OperationalError, InterfaceError):
                jobs.release()
            connection.close()
        if self.servers is not None:
            self.servers.stop()
        self.screen.say("Stopped. The next start goes on from here.")


def _web(port: int) -> Program:
    workers = os.environ.get("WEB_WORKERS") or str(min(2, os.cpu_count() or 1))
    command = [
        *(sys.executable, "-m", "granian", "marketing.wsgi:application", "--interface", "wsgi"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", workers),
        # An idle thread that ends takes its database connection with it.
        *("--blocking-threads", "16", "--blocking-threads-idle-timeout", "600"),
        *("--backlog", "512", "--workers-kill-timeout", "4", "--respawn-failed-workers"),
        *("--no-ws", "--log-level", "warning", "--process-name", "perennial-web"),
    ]
    return Program("web", command)


def _worker(queue: str, processes: int, **environment: str) -> Program:
    command = [
        *(sys.executable, "-m", "celery", "-A", "marketing", "worker", "-Q", queue),
        *("-n", f"{queue}@%h", "-c", str(processes), "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    if queue == "train":
        # A model may take as much memory as it needs; afterwards its process makes room.
        command += ["--max-memory-per-child", "1000000"]
    environment = {"STATEMENT_TIMEOUT_MS": "300000", **environment}
    return Program(f"worker-{queue}", command, environment, patience=8.0)


def _background(mail_socket: socket.socket | None) -> list[Program]:
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    programs = [
        _worker("bulk", 1),
        _worker("fast", 2),
        _worker("events", 1, WORKER_QUEUE="events"),
        Program("beat", [*manage, "beat"]),
        _worker("train", 1, OPENBLAS_NUM_THREADS="1"),
    ]
    if mail_socket is not None:
        number = mail_socket.fileno()
        catcher = [*manage, "mailcatcher", "--descriptor", str(number)]
        programs.insert(0, Program("mailcatcher", catcher, descriptors=(number,)))
    return programs


def _explain(error: OSError) -> str:
    if error.errno == 28:
        return (
            f"The disk that holds {settings.VAR_DIR} is full. What was stored is untouched. "
            "Free some space and start again."
        )
    return f"The platform could not start: {error}"
