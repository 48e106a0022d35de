"""System checks of the pipeline page."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


def _exists(path: str) -> bool:
    # Looked up in the source, not imported: a handler may load torch, and this runs in the web.
    module, _, name = path.rpartition(".")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return False
    with open(spec.origin, encoding="utf-8") as file:
        return f"def {name}(" in file.read()


@register()
def check_pipeline(app_configs: Any, **_: Any) -> Iterable[CheckMessage]:
    """Every name in pipeline.py leads to a function, and every queue is known."""
    plan = settings.PIPELINE
    paths = [kind.handler for kind in plan.JOBS.values()]
    paths += [task for tasks in plan.FOLLOWS.values() for task in tasks]
    paths += list(plan.EVERY)
    queues = {kind.queue for kind in plan.JOBS.values()} | {q for _s, q in plan.EVERY.values()}
    return [
        Error(f"pipeline.py names {path}, which does not exist", id="core.E001")
        for path in paths
        if not _exists(path)
    ] + [
        Error(f"pipeline.py uses the unknown queue {queue}", id="core.E002")
        for queue in sorted(queues - set(plan.QUEUES))
    ]
