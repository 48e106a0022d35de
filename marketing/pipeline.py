"""What runs when, on one page.

JOBS: kinds of long work and who does them. FOLLOWS: when this becomes true, start that (speed).
EVERY: the periodic catch-up that makes the same things true if a message was lost (correctness).
Names are dotted paths so that the web process imports none of the heavy modules behind them.
"""

from typing import NamedTuple

QUEUES = ("events", "fast", "bulk", "train")

# queue -> packages whose tasks its worker loads, started with WORKER_QUEUE; others load all
LIGHT: dict[str, tuple[str, ...]] = {"events": ("marketing.core", "ingestion.events")}


class JobKind(NamedTuple):
    """A handler `def run(job: jobs.Running) -> dict`, the queue it runs on, and its tries."""

    handler: str
    queue: str
    max_attempts: int = 3


JOBS: dict[str, JobKind] = {
    "source.pull": JobKind("ingestion.tasks.pull_source", "bulk", 5),
    "import.run": JobKind("ingestion.tasks.run_import", "bulk", 5),
    "recipe.repeat": JobKind("ingestion.tasks.repeat_recipe", "bulk", 5),
    "import.try": JobKind("ingestion.tasks.try_import", "bulk"),
    "privacy.sweep": JobKind("ingestion.tasks.sweep_erased", "bulk", 5),
    "privacy.export": JobKind("ingestion.tasks.export_person", "bulk"),
    "privacy.retention": JobKind("ingestion.tasks.let_go", "bulk"),
    "people.compare": JobKind("ingestion.tasks.compare_people", "bulk"),
    "people.merge": JobKind("ingestion.tasks.merge_certain", "bulk"),
    "quality.measure": JobKind("ingestion.tasks.run_quality", "bulk"),
    "features.build": JobKind("models_ml.jobs.repeat.build_features", "bulk"),
    "tree.train": JobKind("models_ml.jobs.repeat.train_tree", "train"),
    "list.load": JobKind("campaigns.jobs.lists.load", "bulk"),
    "ads.export": JobKind("campaigns.jobs.ads.export", "bulk"),
    "ads.train": JobKind("campaigns.jobs.ads.train", "train"),
    "links.check": JobKind("campaigns.content.link_check.look", "bulk"),
    "journey.replay": JobKind("campaigns.jobs.journeys.look_back", "bulk"),
    "explorer.train": JobKind("campaigns.jobs.trees.train", "train"),
    "prediction.train": JobKind("models_ml.jobs.predictions.train", "train"),
    "prediction.score": JobKind("models_ml.jobs.predictions.score", "train"),
    "prediction.watch": JobKind("models_ml.jobs.predictions.watch", "train"),
    "insights.measure": JobKind("models_ml.jobs.insights.measure", "bulk"),
    "insights.look_back": JobKind("models_ml.jobs.insights.look_back", "bulk"),
    "demand.forecast": JobKind("models_ml.jobs.demand.forecast", "train"),
    "clusters.train": JobKind("models_ml.jobs.clusters.train", "train"),
    "clusters.assign": JobKind("models_ml.jobs.clusters.assign", "train"),
    "recommenders.train": JobKind("models_ml.jobs.recommenders.train_recommenders", "train"),
    "recommenders.further": JobKind("models_ml.jobs.further.learn", "train"),
    "recommendations.refresh": JobKind("recommendations.tasks.refresh", "train"),
    "recommendations.offers": JobKind("recommendations.tasks.plan_offers", "bulk"),
    "recommendations.links": JobKind("recommendations.tasks.make_links", "bulk"),
    "demo.ads": JobKind("marketing.demo.show_ads", "bulk"),
    "demo.campaign": JobKind("marketing.demo.send_campaign", "bulk", 5),
}

# topic -> dotted Celery tasks, called with the ids that were announced
FOLLOWS: dict[str, list[str]] = {
    "job.finished": ["marketing.tasks.advance_demo"],
    "import.finished": ["models_ml.tasks.renew_features", "ingestion.tasks.measure_quality"],
    "quality.changed": ["campaigns.tasks.settle_holds"],
    "alerts.waiting": ["ingestion.tasks.deliver_alerts"],
    "people.moved": [
        "campaigns.tasks.follow_people",
        "models_ml.tasks.follow_people",
    ],
    "events.stored": ["campaigns.tasks.walk_journeys"],
    "journeys.due": ["campaigns.tasks.walk_journeys"],
    "journeys.published": ["campaigns.tasks.look_at_days"],
    "features.built": [
        "campaigns.tasks.refresh_segments",
        "campaigns.tasks.count_groups",
        "models_ml.tasks.renew_insights",
        "models_ml.tasks.sort_people",
    ],
    "model.promoted": ["models_ml.tasks.score_after_promotion", "campaigns.tasks.count_groups"],
    "segment.saved": ["campaigns.tasks.refresh_segments"],
    "list.read": ["campaigns.tasks.refresh_segments"],
    "scores.written": ["campaigns.tasks.refresh_segments"],
    "recommenders.trained": ["recommendations.tasks.refresh_after_training"],
    "recommendations.refreshed": [],
    "run.started": ["campaigns.tasks.deliver"],
    "messages.queued": ["campaigns.tasks.deliver"],
    "seeds.waiting": ["campaigns.tasks.send_seeds"],
    "consent.asked": ["campaigns.tasks.send_confirmations"],
}

# Who tells where personal data lies, in the order in which rows may go (marketing.core.personal).
PERSONAL: tuple[str, ...] = (
    "campaigns.personal",
    "recommendations.personal",
    "models_ml.personal",
    "ingestion.privacy.holdings",
    "marketing.core.personal_data",
    "marketing.remains",
)

# dotted Celery task -> (seconds, queue)
EVERY: dict[str, tuple[float, str]] = {
    "ingestion.tasks.sweep_webhooks": (15.0, "fast"),
    "ingestion.events.tasks.drain_inbox": (2.0, "events"),
    "ingestion.tasks.tidy_events": (600.0, "fast"),
    "ingestion.tasks.keep_files": (600.0, "bulk"),
    "ingestion.tasks.fold_observations": (5.0, "fast"),
    "ingestion.tasks.measure_quality": (900.0, "bulk"),
    "ingestion.tasks.deliver_alerts": (60.0, "fast"),
    "campaigns.tasks.settle_holds": (60.0, "fast"),
    "marketing.core.tasks.sweep": (10.0, "fast"),
    "marketing.core.tasks.seal_audit": (30.0, "fast"),
    "marketing.core.tasks.check_audit": (3600.0, "bulk"),
    "ingestion.tasks.look_after_privacy": (1800.0, "bulk"),
    "campaigns.tasks.send_confirmations": (30.0, "fast"),
    "campaigns.tasks.answer_texts": (5.0, "fast"),
    "campaigns.tasks.check_domains": (1800.0, "bulk"),
    "marketing.tasks.advance_demo": (5.0, "fast"),
    "marketing.tasks.add_up_orders": (600.0, "bulk"),
    "ingestion.tasks.begin_fetches": (30.0, "fast"),
    "campaigns.tasks.collect_hits": (2.0, "fast"),
    "campaigns.tasks.read_boxes": (60.0, "bulk"),
    "campaigns.tasks.send_seeds": (15.0, "fast"),
    "campaigns.tasks.look_for_seeds": (5.0, "bulk"),
    "campaigns.tasks.sweep": (15.0, "fast"),
    "campaigns.tasks.start_due_runs": (30.0, "fast"),
    "campaigns.tasks.turn_trials": (60.0, "fast"),
    "campaigns.tasks.take_readings": (600.0, "bulk"),
    "campaigns.tasks.steer_ads": (15.0, "fast"),
    "campaigns.tasks.share_ads": (300.0, "bulk"),
    "campaigns.tasks.learn_ads": (3600.0, "fast"),
    "models_ml.tasks.learn_further": (1800.0, "fast"),
    "campaigns.tasks.walk_journeys": (1.0, "fast"),
    "campaigns.tasks.look_at_days": (30.0, "fast"),
    "campaigns.tasks.refresh_segments": (1.0, "fast"),
    "campaigns.tasks.check_segments": (600.0, "bulk"),
    "campaigns.tasks.tidy_segments": (60.0, "fast"),
    "ingestion.tasks.settle_people": (300.0, "fast"),
    "ingestion.tasks.look_for_twins": (86400.0, "bulk"),
    "campaigns.tasks.follow_people": (3600.0, "fast"),
    "models_ml.tasks.follow_people": (3600.0, "fast"),
    "recommendations.tasks.count_visitors": (15.0, "fast"),
    "models_ml.tasks.renew_features": (300.0, "bulk"),
    "models_ml.tasks.renew_insights": (600.0, "fast"),
    "models_ml.tasks.look_after_predictions": (600.0, "fast"),
    "models_ml.tasks.renew_demand": (3600.0, "fast"),
}

# the module that tells models which mails went out, and who was held out of them
MAILINGS = "campaigns.mailings"

# the module that tells recommendations which groups of people there are, and who is in them
GROUPS = "campaigns.groups"

# dotted functions that say which segments, models and campaigns read which fields of the facts
FIELD_USERS: tuple[str, ...] = ("models_ml.uses.everything", "campaigns.uses.everything")
