"""How fast stages of the past are found and the pages of insights answer, on a simulated shop.

Everything is planted inside a transaction that is rolled back. Both sides of a ratio run in turn,
so that a busy machine slows them alike.
"""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from marketing.core import auth
from marketing.core.models import User
from models_ml import features
from models_ml.benchmarks.data import line, pace
from models_ml.benchmarks.features import RUNS
from models_ml.benchmarks.shops import NOW, plant
from models_ml.insights import lifecycle, stage_history

# people, order lines
SHOPS = {"small": (20_000, 200_000), "full": (200_000, 2_000_000)}
PAGES = ("rfm", "lifecycle")


def stages(size: str = "small") -> list[dict[str, Any]]:
    """Everybody's stages at thirteen moments in one pass, against a pass for each of them.

    Then what the whole job takes, and what its pages do.
    """
    people, lines = SHOPS[size]
    ours, limit, whole = [], [], []
    shown: dict[str, list[float]] = {name: [] for name in PAGES}
    with transaction.atomic():
        plant(people, lines, now=NOW)
        features.build(as_of=NOW)
        cuts = stage_history.moments(as_of=NOW)
        for _round in range(RUNS):
            rows = people * len(cuts)
            ours.append(rows / _seconds([cuts]))
            limit.append(rows / _seconds([[cut] for cut in cuts]))
            began = time.perf_counter()
            stage_history.build(now=NOW)
            whole.append(time.perf_counter() - began)
        client = _signed_in()
        for round_ in range(RUNS + 1):
            for name in PAGES:
                began = time.perf_counter()
                answer = client.get(reverse(f"models_ml:{name}"), headers={"host": "localhost"})
                if answer.status_code != 200:
                    raise RuntimeError(f"{name} answered {answer.status_code}")
                if round_:  # the first one reads templates
                    shown[name].append(1000 * (time.perf_counter() - began))
        transaction.set_rollback(True)
    found = [pace("insights.stages", "stages/s", people, ours, limit, "a pass for each moment")]
    found.append(line("insights.job", "s", people, whole))
    found += [line(f"insights.page.{name}", "ms", people, shown[name]) for name in PAGES]
    return found


def _seconds(asked: list[list[Any]]) -> float:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        for cuts in asked:
            stage_history.write(cursor, cuts=cuts, bounds=lifecycle.Bounds())
            cursor.execute("DROP TABLE stage_paths")
    return time.perf_counter() - began


def _signed_in() -> Client:
    auth.create_roles()
    user = User.objects.create_user("bench-insights")
    user.groups.add(Group.objects.get(name=auth.ANALYST))
    client = Client()
    client.force_login(user)
    return client


WORKLOADS: dict[str, Callable[[str], Any]] = {"insights.stages": stages}
