"""The house keeps its shape: who imports whom, who writes what, and how light the web stays."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

from ingestion.events import nudging
from marketing import pipeline
from marketing.management.commands import up

ROOT = Path(__file__).resolve().parent.parent
APPS = ("ingestion", "models_ml", "recommendations", "campaigns")
WRITES = {
    "create", "bulk_create", "update", "delete", "get_or_create", "update_or_create",
    "bulk_update", "aupdate", "acreate",
}  # fmt: skip


def sources(*folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def test_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def owners() -> dict[str, str]:
    return {
        model.__name__: config.name.split(".")[-1]
        for config in apps.get_app_configs()
        if config.name in (*APPS, "marketing.core")
        for model in config.get_models()
    }


def foreign_writes(path: Path) -> list[str]:
    """`Model.objects….create/update/delete` on a table of another app, by name of the model."""
    app = "core" if "core" in path.relative_to(ROOT).parts else path.relative_to(ROOT).parts[0]
    owner = owners()
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in WRITES:
            continue
        chain: ast.expr = node.func.value
        while isinstance(chain, ast.Call | ast.Attribute):
            if isinstance(chain, ast.Attribute) and chain.attr == "objects":
                name = chain.value.id if isinstance(chain.value, ast.Name) else ""
                if owner.get(name, app) != app:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} writes {name}")
                break
            chain = chain.func if isinstance(chain, ast.Call) else chain.value
    return found


@pytest.mark.parametrize("app", APPS)
def test_an_app_writes_only_its_own_tables(app: str) -> None:
    assert [fault for path in sources(app) for fault in foreign_writes(path)] == []


def test_the_own_writes_check_sees_a_planted_fault(tmp_path: Path) -> None:
    planted = ROOT / "campaigns" / "planted_by_a_test.py"
    planted.write_text("def f(ids):\n    Customer.objects.filter(pk__in=ids).update(phone='')\n")
    try:
        assert foreign_writes(planted) == ["campaigns/planted_by_a_test.py:2 writes Customer"]
    finally:
        planted.unlink()


HEAVY = ("torch", "transformers", "implicit", "onnxruntime", "sklearn", "pandas", "scipy")


def test_the_web_process_loads_no_model_library() -> None:
    script = f"""
import json, sys, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
from marketing.wsgi import application
from django.urls import get_resolver
get_resolver().url_patterns
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_a_worker_loads_no_library_of_learning_before_a_job_needs_it_and_no_page() -> None:
    script = """
import json, sys
from marketing.celery import app
app.loader.import_default_modules()
unwanted = ("torch", "onnxruntime", "sklearn", "implicit", "marketing.urls")
print(json.dumps([name for name in unwanted if name in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.parametrize("queue", pipeline.LIGHT)
def test_the_worker_of_a_light_queue_loads_its_tasks_and_no_more(queue: str) -> None:
    script = f"""
import json, sys
from marketing.celery import app
app.loader.import_default_modules()
heavy = [name for name in {(*HEAVY, "pyarrow")!r} if name in sys.modules]
print(json.dumps([heavy, sorted(name for name in app.tasks if not name.startswith("celery."))]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "WORKER_QUEUE": queue},
        capture_output=True,
        text=True,
        check=True,
    )
    heavy, tasks = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert {task for task, (_, wanted) in pipeline.EVERY.items() if wanted == queue} <= set(tasks)
    assert "marketing.core.tasks.canary" in tasks


def test_only_the_drain_waits_in_the_queue_of_events() -> None:
    """Mail and periodic work may take minutes; what came in is stored within two seconds."""
    assert [task for task, (_, queue) in pipeline.EVERY.items() if queue == nudging.QUEUE] == [
        nudging.TASK
    ]
    assert nudging.QUEUE not in {kind.queue for kind in pipeline.JOBS.values()}


def test_up_starts_a_worker_for_every_queue() -> None:
    started = {program.name for program in up._background(None)}
    assert {f"worker-{queue}" for queue in pipeline.QUEUES} <= started


def test_every_name_on_the_pipeline_page_exists() -> None:
    call_command("check", "--tag", "compatibility")
    call_command("check")


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources("marketing", *APPS)
        if (lines := len(path.read_text().splitlines())) > 500
    }
    assert long == {}


def test_nothing_unpickles_a_model() -> None:
    """Artefacts are JSON, npz without objects, and safetensors: loading one cannot run code."""
    suspects = re.compile(
        r"^\s*(?:from|import) (?:pickle|_pickle|dill|cloudpickle|joblib|marshal|shelve|yaml)\b"
        r"|\btorch\.load\b|allow_pickle=True|\bread_pickle\b|weights_only=False",
        re.MULTILINE,
    )
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sources("marketing", *APPS)
        for word in suspects.findall(path.read_text())
    ]
    assert found == []
