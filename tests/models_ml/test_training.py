import os
import subprocess
import sys

import numpy as np
import pytest
from django.db import connection
from django.utils import translation

from marketing.core.errors import Conflict, Invalid
from marketing.core.models import Job
from marketing.core.wording import in_ours
from models_ml import catalog, interactions, registry, training
from models_ml.algorithms import artifacts
from models_ml.jobs import recommenders as long_work
from models_ml.models import ModelVersion
from tests.models_ml.algorithms.shops import two_tastes
from tests.recommendations.conftest import NOW, fill, shop, train  # noqa: F401


class Reports:
    """What a job's handler is given, without a worker behind it."""

    def __init__(self, job: Job) -> None:
        self.id, self.params, self.steps, self.lines, self.url = job.pk, job.params, [], [], ""

    def step(self, index, label, total=None, unit="rows"):
        self.steps.append(index)

    def progress(self, done, total=None):
        assert total is None or done <= total

    def log(self, text, level="info"):
        self.lines.append(in_ours(text))

    def set_url(self, url):
        self.url = url


@pytest.fixture
def job(db) -> Job:
    return Job.objects.create(kind="recommenders.train", title="Train", queue="train")


def test_every_engine_sits_the_same_exam_and_goes_live_when_better(shop, job, monkeypatch):  # noqa: F811
    monkeypatch.setattr("models_ml.queries.data_now", lambda now=None: NOW)
    # A loaded machine may train one engine for longer than a transaction may stand idle.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    running = Reports(job)
    answer = long_work.train_recommenders(running)
    versions = {row.algorithm: row for row in ModelVersion.objects.order_by("pk")}
    assert list(versions) == [entry.engine for entry in catalog.CATALOG]
    for name in ("popular", "als", "markov", "ease", "sasrec", "bert4rec", "blend"):
        row = versions[name]
        assert row.state == "live", (name, row.reason, row.params, row.details)
    weights = versions["blend"].details["weights"]
    assert {"sasrec", "bert4rec", "content", "local"} < set(weights)
    assert max(weights.values()) == 1
    assert running.steps == list(range(1, len(catalog.CATALOG) + 2))
    base = versions["popular"].metrics["ndcg@10"]
    exam = versions["popular"].details["split"]
    for name in ("als", "sasrec", "bert4rec"):
        row = versions[name]
        assert row.baseline["ndcg@10"] == base
        assert row.metrics["ndcg@10"] > base
        assert row.details["difference"]["low"] > 0
        assert row.details["split"] == exam
        assert answer[name]["state"] == "live"
    assert versions["bert4rec"].details["epochs"] >= 1
    assert artifacts.check(registry.folder(versions["als"]))["rows"] == len(shop.data)
    # A worker that died after storing everything finds it done, and judges only the baseline.
    before = ModelVersion.objects.exclude(algorithm="popular").count()
    long_work.train_recommenders(Reports(job))
    assert ModelVersion.objects.exclude(algorithm="popular").count() == before


def test_a_live_engine_is_fitted_on_everything_up_to_the_moment(shop, train):  # noqa: F811
    version = train("next_product_als")["next_product_als"]
    entry = catalog.BY_NAME["next_product_als"]
    model = registry.load(version, entry.read())
    data = interactions.read(as_of=NOW)
    assert (model.users.ids == data.users.ids).all()
    assert (model.items.ids == data.items.ids).all()
    assert registry.load(version, entry.read()) is model


def test_an_engine_no_better_than_popularity_is_refused_and_the_old_one_retired(db):
    fill(two_tastes())
    exam = training.prepare(as_of=NOW)
    first, _figures = training.train(name="next_product_popular", exam=exam, baseline=None, now=NOW)
    perfect = training.metrics.Ranking(
        k=10, recall=np.ones(len(exam.judging.users)), ndcg=np.ones(len(exam.judging.users)),
        items_shown=10,
    )  # fmt: skip
    old = ModelVersion.objects.create(name="next_product_als", version=1, state="live")
    version, _figures = training.train(
        name="next_product_als", exam=exam, baseline=perfect, now=NOW
    )
    old.refresh_from_db()
    assert (version.version, version.state, old.state) == (2, "refused", "retired")
    assert version.why.startswith("On the last 30 days it was not reliably better")
    with translation.override("zh-hans"):
        assert version.why == version.reasons["zh-hans"]
        assert "NDCG@10" in version.why
        assert "On the last 30 days" not in version.why
        assert ModelVersion(reason="Kept before languages were").why == "Kept before languages were"
    assert registry.live("next_product_als") is None
    assert registry.live("next_product_popular") == first


def test_too_little_history_is_refused_and_nothing_is_stored(db):
    fill(two_tastes(people=8))
    with pytest.raises(Invalid, match="too few orders to learn from"):
        training.prepare(as_of=NOW)
    assert not ModelVersion.objects.exists()


def test_an_empty_shop_is_refused(db):
    with pytest.raises(Invalid, match="too few orders"):
        training.prepare(as_of=NOW)


def test_a_version_whose_files_are_gone_is_not_promoted(shop, train):  # noqa: F811
    version = train()["next_product_popular"]
    registry.retire(version=version)
    (registry.folder(version) / "manifest.json").unlink()
    with pytest.raises(Conflict, match="files"):
        registry.promote(version=version)


def test_a_sequence_model_of_an_earlier_release_is_not_promoted(shop, train):  # noqa: F811
    version = train()["next_product_popular"]
    old = ModelVersion.objects.create(
        name="next_product_bert4rec", version=1, state="retired", folder=version.folder
    )
    with pytest.raises(Conflict, match="earlier release"):
        registry.promote(version=old)
    with pytest.raises(artifacts.Damaged, match="train it again"):
        registry.load(old, catalog.BY_NAME[old.name].read())


def test_a_damaged_folder_is_not_loaded(shop, train):  # noqa: F811
    version = train()["next_product_popular"]
    path = registry.folder(version) / "popular.npz"
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(artifacts.Damaged, match=r"popular\.npz"):
        registry.load(version, catalog.BY_NAME["next_product_popular"].read())


def test_the_catalogue_and_the_pages_load_no_heavy_library():
    code = (
        "import django, sys; django.setup();"
        "import models_ml.catalog, recommendations.urls, marketing.urls;"
        "heavy = {'torch', 'transformers', 'implicit', 'sklearn', 'pandas'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ.copy(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
