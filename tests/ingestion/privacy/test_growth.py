"""No table grows for ever by itself: each has somebody who keeps it level, or a reason to grow."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils.module_loading import import_string

from ingestion.models import Connector, Pull
from ingestion.privacy import retention
from marketing.core import jobs, personal
from marketing.core.models import Job
from models_ml.models import ModelVersion
from tests import factories


def names(text: str) -> list[str]:
    return text.split()


# What people set up: as many rows as somebody made.
SET_UP = names(
    """
auth_group auth_group_permissions auth_permission campaigns_adcampaign
campaigns_adcampaign_placements campaigns_adcreative campaigns_adplacement campaigns_campaign
campaigns_channel campaigns_domain campaigns_globalholdout campaigns_journey
campaigns_journeyversion campaigns_personlist campaigns_returnbox campaigns_savedblock
campaigns_savedblockversion campaigns_seedmailbox campaigns_segment campaigns_sendingrules
campaigns_spend campaigns_template campaigns_templateversion campaigns_trial campaigns_variant
core_apikey core_auditcheck core_brand core_secondfactor core_user core_user_groups
core_user_user_permissions django_content_type
django_migrations ingestion_alertrule ingestion_connector ingestion_consenttext
ingestion_eventplan ingestion_expectation ingestion_planrules ingestion_purpose ingestion_recipe
ingestion_recipeversion ingestion_retentionrule ingestion_source ingestion_webhookendpoint
models_ml_clustering models_ml_exploration models_ml_prediction models_ml_watchedattribute
models_ml_yardstick recommendations_offerplan recommendations_placement
campaigns_segmentupkeep campaigns_segmentlevel campaigns_journeycursor campaigns_approval
campaigns_waiver
campaigns_linkcheck campaigns_seedtest campaigns_seedcopy campaigns_run campaigns_mailpieces
campaigns_round campaigns_adexport django_admin_log ingestion_reciperun
"""
)
# Rows that stand for a person, a product, a name, a device, a file or a domain: as many as there
# are, and an erasure or a rule of events takes theirs.
OF_THINGS = names(
    """
campaigns_choice campaigns_personlistmember campaigns_pushsubscription campaigns_segmentmember
campaigns_turn campaigns_pace ingestion_customer ingestion_customerrollup ingestion_identity
ingestion_identitylink ingestion_merge ingestion_product ingestion_refusedname
ingestion_statement ingestion_suppresseddigest ingestion_suppression ingestion_twins
ingestion_webhookthing ingestion_eventtype ingestion_eventproperty ingestion_pulledfile
ingestion_exchangerate models_ml_clustermember models_ml_productdemand models_ml_score
models_ml_formerscore models_ml_stageflow models_ml_stagepath models_ml_traits
recommendations_offerchoice recommendations_visitormark core_workerbeat ingestion_changereader
    campaigns_adpurse
"""
)
# The business's own history and proofs: kept until a person is erased or somebody deletes them.
HISTORY = names(
    """
campaigns_message campaigns_returned campaigns_enrollment ingestion_order ingestion_orderline
ingestion_consent ingestion_erasure ingestion_privacyrequest ingestion_mention
ingestion_importtouch ingestion_pull_imports models_ml_modelversion core_auditseal
"""
)
# Some rows a day or an hour, whatever the traffic.
A_FEW_A_DAY = names(
    """
campaigns_adday campaigns_adhour campaigns_adround campaigns_journeyreading campaigns_journeytally
campaigns_reading ingestion_alert ingestion_dayscore ingestion_drift ingestion_eventtally
ingestion_eventvolume ingestion_planbreach ingestion_problem ingestion_retentionrun
models_ml_watch
"""
)
# table -> who empties it by itself
KEPT_LEVEL = {
    "campaigns_hit": "campaigns.answers.collecting.collect",
    "campaigns_journeyheard": "campaigns.journeys.hearing.tidy",
    "campaigns_segmentmove": "campaigns.segments.moves.tidy",
    "campaigns_untold": "campaigns.messaging.news.make_good",
    "core_refusedsignin": "marketing.core.refusals.tell",
    "core_slot": "marketing.core.schedule.forget_old",
    "ingestion_change": "ingestion.changes.tidy",
    "ingestion_event": "ingestion.privacy.retention.run",
    "ingestion_eventkey": "ingestion.events.claims.prune",
    "ingestion_eventpropertyday": "ingestion.tasks.tidy_events",
    "ingestion_inbox": "ingestion.events.draining.drain",
    "ingestion_measure": "ingestion.quality.measuring.measure",
    "ingestion_observation": "ingestion.registry.discovery.fold",
    "ingestion_tablesize": "ingestion.privacy.storage.measure",
    "recommendations_linkset": "recommendations.links.make",
    "recommendations_productlink": "recommendations.links.make",
    "recommendations_picklist": "recommendations.build.refresh",
    "recommendations_recommendationset": "recommendations.build.refresh",
}


@pytest.mark.django_db
def test_every_table_has_somebody_who_keeps_it_level_or_a_reason_to_grow():
    by_rule = {kind.table for kind in personal.retained()}
    named = [*SET_UP, *OF_THINGS, *HISTORY, *A_FEW_A_DAY, *KEPT_LEVEL, *by_rule]
    tables = set(personal.tables())
    assert tables - set(named) == set(), "tables whose growth nobody thought of"
    assert set(named) - tables == set(), "tables that do not exist"
    assert sorted(named) == sorted(set(named)), "tables named twice"
    for table, owner in KEPT_LEVEL.items():
        assert callable(import_string(owner)), table


@pytest.mark.django_db(transaction=True)
def test_what_grew_with_time_goes_and_what_names_it_stays():
    now = factories.now()
    old = now - timedelta(days=800)
    job = jobs.start(kind="quality.measure", title="Measure")
    fresh = jobs.start(kind="quality.measure", title="Measure")
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=old)
    version = ModelVersion.objects.create(name="m", version=1, algorithm="a", job=job)
    fetches = Connector.objects.create(source=factories.source(), kind="folder").pulls
    for day in range(3):
        at = old + timedelta(days=day)
        fetches.create(state=Pull.State.DONE, created_at=at, finished_at=at, job=fresh)
    for key, at in (("gone", now - timedelta(days=2)), ("kept", now)):
        Session.objects.create(session_key=key, session_data="", expire_date=at)

    removed = retention.run(now=now).removed

    assert {name: removed.get(name) for name in ("jobs", "fetches", "sessions")} == {
        "jobs": 1,
        "fetches": 2,
        "sessions": 1,
    }
    assert list(Job.objects.values_list("pk", flat=True)) == [fresh.pk]
    version.refresh_from_db()
    assert version.job is None
    assert fetches.count() == 1
    assert Session.objects.get().session_key == "kept"
