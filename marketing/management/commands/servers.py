"""The embedded servers alone, for a restore or a look at the tables while nothing else runs."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketing import startup
from marketing.embedded import ServerError

ADDRESS = "only its servers"


class Command(BaseCommand):
    help = "Start the embedded PostgreSQL and Valkey, and nothing that uses them, until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
        var, servers = settings.VAR_DIR, None
        try:
            lock = startup.take_folder(var, ADDRESS)
            startup.require_space(var)
            servers, _database, _queue = startup.start_servers(var)
            if servers is None:
                raise CommandError(
                    "DATABASE_URL and REDIS_URL name servers of your own, which are not ours to "
                    "start. Nothing was started."
                )
            self.stdout.write(f"Their addresses: {var}/postgres.url, {var}/valkey.url")
            self.stdout.write("Nothing else runs. Ctrl-C stops them.")
            self.stdout.flush()
            stop.wait()
            lock.close()
        except (startup.StartError, ServerError) as error:
            raise CommandError(str(error)) from None
        finally:
            if servers is not None:
                servers.stop()
