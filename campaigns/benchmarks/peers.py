"""What sending is measured beside, where it is installed: Postfix's client, and django-post-office.

SMTP_TOOLS names the folder of smtp-source and smtp-sink unless they are on the path, PEERS a folder
with Python packages of peers. Whatever is missing is left out of the measurement.
"""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection

SESSIONS = 16
# It queues every mail with its own text, as a platform must, and hands all of them over.
_POST_OFFICE = """
import sys, time, logging
from urllib.parse import urlsplit
import django
from django.conf import settings
url, port, n = urlsplit(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:],
        "USER": url.username, "PASSWORD": url.password, "HOST": url.hostname, "PORT": url.port}},
    EMAIL_BACKEND="post_office.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=port,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SECRET_KEY="peer", USE_TZ=True,
    TEMPLATES=[{"BACKEND": "post_office.template.backends.post_office.PostOfficeTemplates",
        "APP_DIRS": True, "DIRS": [], "OPTIONS": {"context_processors": []}},
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "NAME": "django"}],
    POST_OFFICE={"BATCH_SIZE": n, "THREADS_PER_PROCESS": 4, "SENDING_ORDER": ["-priority"],
        "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
        "LOG_LEVEL": 0},
)
django.setup()
logging.disable(logging.CRITICAL)
from django.core.management import call_command
call_command("migrate", verbosity=0)
from post_office import mail
from post_office.models import Email, EmailTemplate
html, text = open(sys.argv[4]).read(), open(sys.argv[5]).read()
template = EmailTemplate.objects.create(name="news", subject="Hello {{ name }}", content=text,
    html_content=html)
began = time.perf_counter()
mail.send_many([
    {"recipients": f"bench{k}@example.com", "sender": "a@example.com", "template": template,
     "context": {"name": f"Person{k}"}} for k in range(n)])
mail.send_queued(processes=2)
seconds = time.perf_counter() - began
from django.db import connection
connection.close()
assert Email.objects.filter(status=0).count() == n, Email.objects.exclude(status=0).count()
print(n / seconds)
"""


def tool(name: str) -> str | None:
    """Where a program of Postfix is, if it is there."""
    folder = os.environ.get("SMTP_TOOLS", "")
    return shutil.which(name, path=folder or None)


@contextlib.contextmanager
def sink() -> Iterator[int | None]:
    """The port of Postfix's smtp-sink; None where it is not installed."""
    program = tool("smtp-sink")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "-u", getpass.getuser(), f"127.0.0.1:{port}", "256"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def source(port: int, mails: int, size: int) -> float | None:
    """Mails a second of Postfix's own client with 16 sessions, which renders and keeps nothing."""
    program = tool("smtp-source")
    if program is None:
        return None
    began = time.perf_counter()
    subprocess.run(
        [
            *(program, "-s", str(SESSIONS), "-m", str(mails), "-l", str(size), "-d"),
            *("-f", "a@example.com", "-t", "b@example.com", f"127.0.0.1:{port}"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return mails / (time.perf_counter() - began)


def post_office(port: int, mails: int, html: Path, text: Path) -> float | None:
    """Mails a second of django-post-office from the queue to the server, in two processes."""
    folder = os.environ.get("PEERS", "")
    if not folder or not (Path(folder) / "post_office").is_dir():
        return None
    name = f"{connection.settings_dict['NAME']}_peer"
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
        cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{name}"
        asked = [url, str(port), str(mails), str(html), str(text)]
        return said([sys.executable, "-c", _POST_OFFICE, *asked], PYTHONPATH=folder)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def said(command: list[str], **more: str) -> float:
    """The number that a peer prints last."""
    done = subprocess.run(
        command,
        env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"} | more,
        cwd=settings.VAR_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return float(done.stdout.split()[-1])
