"""docker-compose.yml is valid by the Compose schema and names only what exists here."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from marketing import pipeline
from marketing.management.commands import up

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]


def words(service: str) -> list[str]:
    return [str(word) for word in SERVICES[service]["command"]]


def test_the_file_is_valid_by_the_compose_schema():
    done = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_role_has_a_service():
    assert set(SERVICES) == {
        "prepare",
        "web",
        "worker-events",
        "worker-fast",
        "worker-bulk",
        "worker-train",
        "worker-train-gpu",
        "beat",
        "mailcatcher",
        "postgres",
        "redis",
    }


def test_every_queue_has_a_worker_and_no_worker_waits_on_an_unknown_queue():
    workers = [name for name in SERVICES if name.startswith("worker-")]
    served = {words(name)[words(name).index("-Q") + 1] for name in workers}
    assert served == set(pipeline.QUEUES)


def test_workers_are_told_what_they_are_told_on_one_machine():
    for program in up._background(None):
        if program.name.startswith("worker-"):
            ours, theirs = program.command[3:], words(program.name)[1:]
            for given in (ours, theirs):
                del given[given.index("-c") : given.index("-c") + 2]  # how many at once may differ
            assert theirs == ours, program.name
            assert program.environment.items() <= SERVICES[program.name]["environment"].items()


def test_the_training_worker_has_a_gpu_profile():
    service = SERVICES["worker-train-gpu"]
    assert service["profiles"] == ["gpu"]
    devices = service["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["capabilities"] == ["gpu"]
    assert words("worker-train-gpu") == words("worker-train")


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("prepare", "beat")])
def test_whatever_stays_up_and_can_be_asked_has_a_health_check(name):
    if name != "mailcatcher":
        assert SERVICES[name]["healthcheck"]["test"]


def test_no_secret_has_a_default():
    for variable, rest in re.findall(r"\$\{(\w*(?:SECRET|PASSWORD)\w*)([^}]*)\}", TEXT):
        # A mail server may take mail without a password, and there may be no earlier keys.
        if variable in ("EMAIL_HOST_PASSWORD", "SECRET_KEY_FALLBACKS"):
            assert rest == ":-"
        else:
            assert rest.startswith(":?"), variable
    assert "password" not in re.sub(r"(?i)\$\{[^}]*\}|\w*PASSWORD\w*:?|#.*|requirepass", "", TEXT)


def test_every_management_command_named_exists():
    commands = get_commands()
    named = [words(name)[2] for name in SERVICES if words_of_manage(SERVICES[name]["command"])]
    named += [
        service["healthcheck"]["test"][3]
        for service in SERVICES.values()
        if "manage.py" in service.get("healthcheck", {}).get("test", [])
    ]
    assert named
    assert [name for name in named if name not in commands] == []


def words_of_manage(command: list[str]) -> bool:
    return command[:2] == ["python", "manage.py"]


def test_every_variable_given_to_the_platform_is_read_by_its_settings():
    settings = (ROOT / "marketing" / "settings.py").read_text()
    unread = [name for name in SERVICES["web"]["environment"] if f'"{name}"' not in settings]
    assert unread == []


def test_everything_that_is_stored_stands_on_a_volume():
    mounted = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
    }
    assert mounted == set(COMPOSE["volumes"]) == {"data", "postgres", "redis"}


def test_what_the_image_copies_exists():
    dockerfile = (ROOT / SERVICES["web"]["build"]["dockerfile"]).read_text()
    sources = re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE)
    assert sources == ["requirements.lock", "."]
    assert all((ROOT / source).exists() for source in sources)
    assert "USER perennial" in dockerfile
