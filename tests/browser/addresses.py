"""Every page that shows something, with the small shop's rows in it."""

from datetime import timedelta

from django.urls import reverse

from campaigns.ads import demo as ads_demo
from campaigns.ads import learning
from campaigns.channels import domains, saving
from campaigns.content import library
from campaigns.models import (
    AdCampaign,
    AdExport,
    Campaign,
    Journey,
    Message,
    SeedCopy,
    SeedMailbox,
    SeedTest,
    Segment,
    Template,
)
from ingestion.models import ImportJob
from marketing.core.models import Job
from models_ml.models import ModelVersion
from recommendations import build
from tests import factories
from tests.browser import data_rows, lab_rows, model_rows, offer_rows
from tests.campaigns.journeys import drawn


def all_pages(people: factories.Cast) -> dict[str, str]:
    """Name → address, for somebody who may see everything."""
    running = Job.objects.get(state="running")
    failed = Job.objects.get(state="failed")
    sent = Campaign.objects.get(state="finished")
    draft = Campaign.objects.filter(state="draft").latest("id")
    segment = Segment.objects.latest("id")
    mail = Message.objects.filter(run__campaign=sent).earliest("id")
    imported = ImportJob.objects.latest("id")
    model = ModelVersion.objects.latest("id")
    template = Template.objects.latest("id")
    said = [{"kind": "text", "text": "Ten percent off"}]
    block = library.save(name="Offer", blocks=said, user=None, now=factories.NOW)
    return {
        "home": reverse("home"),
        "person": reverse("customer", args=[people.ada.pk]),
        "person without orders": reverse("customer", args=[people.cleo.pk]),
        "people": reverse("ingestion:customer-list"),
        "sources": reverse("ingestion:source-list"),
        "source": reverse("ingestion:source-detail", args=[imported.source_id]),
        "new source": reverse("ingestion:source-new"),
        "new database": reverse("ingestion:connector-new", args=["sql"]),
        "new folder": reverse("ingestion:connector-new", args=["folder"]),
        "new HTTP API": reverse("ingestion:connector-new", args=["http_json"]),
        "new feed": reverse("ingestion:connector-new", args=["feed"]),
        "imports": reverse("ingestion:import-list"),
        "new import": reverse("ingestion:import-new"),
        "import": reverse("ingestion:import-detail", args=[imported.public_id]),
        "columns of an import": reverse(
            "ingestion:import-map", args=[data_rows.upload().public_id]
        ),
        "recipe": data_rows.recipe(imported),
        "recipe of nothing": reverse("ingestion:recipe-edit", args=[imported.source_id, "events"]),
        "new webhook": reverse("ingestion:webhook-new", args=["standard"]),
        "webhook": data_rows.webhook("standard"),
        "webhook of a shop": data_rows.webhook("shopify"),
        "new web source": reverse("ingestion:tracking-new"),
        "web source": reverse("ingestion:tracking", args=[data_rows.web_source().pk]),
        "duplicates": reverse("ingestion:duplicate-list"),
        "pairs kept apart": reverse("ingestion:duplicate-list") + "?show=apart",
        "compare people": reverse("ingestion:merge-preview", args=[people.ada.pk, people.ben.pk]),
        "merges": reverse("ingestion:merge-history"),
        "privacy": reverse("ingestion:privacy-home"),
        "closed requests": reverse("ingestion:privacy-home") + "?state=closed",
        "consent": reverse("ingestion:privacy-consent"),
        "suppression": reverse("ingestion:privacy-suppression"),
        "retention": reverse("ingestion:privacy-retention"),
        "person's privacy": reverse("ingestion:person-privacy", args=[people.ada.pk]),
        "privacy of somebody never asked": reverse(
            "ingestion:person-privacy", args=[people.cleo.pk]
        ),
        "events": reverse("ingestion:event-stream"),
        "refused events": reverse("ingestion:event-refused"),
        "schema": reverse("ingestion:schema-list"),
        "event's schema": reverse("ingestion:event-type", args=[data_rows.event_type().pk]),
        "quality": reverse("ingestion:quality-home"),
        "problem": reverse("ingestion:quality-problem", args=[data_rows.problem().pk]),
        "expectations": reverse("ingestion:expectations"),
        "new expectation": reverse("ingestion:expectation-new"),
        "alerts": reverse("ingestion:alerts"),
        "segments": reverse("campaigns:segment-list"),
        "lists of people": reverse("campaigns:list-index"),
        "new segment": reverse("campaigns:segment-new"),
        "segment": reverse("campaigns:segment-edit", args=[segment.pk]),
        "segment from a start": reverse("campaigns:segment-new") + "?from=best",
        "segment's people": reverse("campaigns:segment-people", args=[segment.pk]),
        "no segment of the name": reverse("campaigns:segment-list") + "?q=nothing",
        "tree": reverse("campaigns:tree"),
        "new question": reverse("campaigns:tree-new"),
        "RFM": model_rows.rfm(),
        "RFM by money": reverse("models_ml:rfm") + "?view=fm",
        "people of a cell": reverse("models_ml:rfm-people") + "?r=12345",
        "RFM bands": reverse("models_ml:rfm-bands"),
        "lifecycle": reverse("models_ml:lifecycle"),
        "people of a stage": reverse("models_ml:stage-people") + "?stage=never_ordered",
        "bounds of stages": reverse("models_ml:lifecycle-bounds"),
        "clusters": model_rows.clusters(),
        "groups of clusters": reverse("models_ml:clusters-of", args=["by-buying"]),
        "clusters that are one": reverse("models_ml:clusters-of", args=["one"]),
        "new clusters": reverse("models_ml:clusters-new"),
        "cohorts": reverse("models_ml:cohorts"),
        "money of cohorts by week": reverse("models_ml:cohorts") + "?unit=week&figure=so_far",
        "demand": model_rows.demand(),
        "demand of a product": model_rows.demand(one=True),
        "hours of answers": model_rows.hours(),
        "models": reverse("models_ml:model-list"),
        "model": reverse("models_ml:model-detail", args=[model.pk]),
        "prediction": model_rows.prediction(),
        "prediction without data": model_rows.troubled(),
        "archived predictions": reverse("models_ml:model-list") + "?show=archived",
        "fairness": reverse("models_ml:fairness"),
        "new prediction": reverse("models_ml:prediction-new"),
        "ready prediction": reverse("models_ml:prediction-new") + "?from=big_spender",
        "person with scores": model_rows.scored_person(),
        "recommendations": reverse("recommendations:home"),
        "lab": _lab_page(),
        "placements": reverse("recommendations:placements"),
        "new placement": reverse("recommendations:placement-new"),
        "placement": reverse("recommendations:placement", args=[_placement()]),
        "offers": reverse("recommendations:offers"),
        "new offers": reverse("recommendations:offer-plan-new"),
        "offers of a plan": reverse("recommendations:offer-plan", args=[offer_rows.fill(people)]),
        "try a placement": reverse("recommendations:try"),
        "catalogue to recommend": reverse("recommendations:catalogue"),
        "campaigns": reverse("campaigns:campaign-list"),
        "sending rules": reverse("campaigns:sending-rules"),
        "not sent": reverse("campaigns:not-sent"),
        "not sent, by reason": reverse("campaigns:not-sent-people", args=["no_consent"]),
        "new campaign": reverse("campaigns:campaign-new"),
        "sent campaign": reverse("campaigns:campaign-detail", args=[sent.pk]),
        "draft campaign": reverse("campaigns:campaign-detail", args=[draft.pk]),
        "draft's message": reverse("campaigns:campaign-message", args=[draft.pk]),
        "draft's audience": reverse("campaigns:campaign-audience", args=[draft.pk]),
        "draft's timing": reverse("campaigns:campaign-timing", args=[draft.pk]),
        "calendar": reverse("campaigns:calendar"),
        "month of a send": reverse("campaigns:calendar") + "?month=" + _month_of(sent),
        "archived campaigns": reverse("campaigns:campaign-list") + "?state=archived",
        "people who opened": reverse("campaigns:message-list", args=[sent.pk]) + "?outcome=opened",
        "draft's check": reverse("campaigns:campaign-check", args=[draft.pk]),
        "campaign's people": reverse("campaigns:message-list", args=[sent.pk]),
        "mail": reverse("campaigns:message-detail", args=[mail.pk]),
        "experiments": reverse("campaigns:experiment-list"),
        "ads": reverse("campaigns:ads"),
        "new ad campaign": reverse("campaigns:ad-new"),
        "ad campaign": reverse("campaigns:ad", args=[_ad().key]),
        "change an ad campaign": reverse("campaigns:ad-edit", args=[_ad().key]),
        "lists for ad networks": reverse("campaigns:ad-exports") + f"?segment={segment.pk}",
        "global hold-out": reverse("campaigns:holdout"),
        "credit": reverse("campaigns:credit") + "?days=365",
        "draft's variants": reverse("campaigns:campaign-variants", args=[draft.pk]),
        "journeys": reverse("campaigns:journey-list"),
        "closed journeys": reverse("campaigns:journey-list") + "?state=closed",
        "new journey": reverse("campaigns:journey-new"),
        "journey": reverse("campaigns:journey-edit", args=[_journey(people).pk]),
        "journey's people": reverse("campaigns:journey-people", args=[_journey(people).pk]),
        "journey's effect": reverse("campaigns:journey-effect", args=[_journey(people).pk]),
        "content": reverse("campaigns:template-list"),
        "saved blocks": reverse("campaigns:block-list"),
        "a saved block": reverse("campaigns:block-edit", args=[block.pk]),
        "versions of a saved block": reverse("campaigns:block-versions", args=[block.pk]),
        "new saved block": reverse("campaigns:block-new"),
        "new content": reverse("campaigns:template-new"),
        "template": reverse("campaigns:template-edit", args=[template.pk]),
        "template's versions": reverse("campaigns:template-versions", args=[template.pk]),
        "new content in MJML": reverse("campaigns:template-new") + "?as=mjml",
        "jobs": reverse("core:job-list"),
        "running job": reverse("core:job-detail", args=[running.public_id]),
        "failed job": reverse("core:job-detail", args=[failed.public_id]),
        "profile": reverse("core:profile"),
        "keys": reverse("core:keys"),
        "brand": reverse("core:brand"),
        "returned": reverse("campaigns:returned-mail"),
        **_channels(),
        "team": reverse("core:team"),
        "audit": reverse("core:audit"),
        "second factor": reverse("core:factor"),
        "password again": reverse("core:confirm"),
        "password": reverse("password_change"),
        "lost": "/nowhere/",
    }


def _ad() -> AdCampaign:
    """The demo's campaign of ads with its log, one model that was learned, and a list."""
    made = AdCampaign.objects.first()
    if made is None:
        made = ads_demo.fill(user=None, now=factories.now())
        learning.train(name="ads:ctr", now=factories.now())
        AdExport.objects.create(
            segment_name="Everybody", format="google", state="ready", people=1_204, meant=1_900,
            left_out={"no_consent": 690, "suppressed": 6}, created_by_label="Ada",
            ready_at=factories.now(),
        )  # fmt: skip
    return made


def _month_of(sent: Campaign) -> str:
    """The month in which it went out."""
    return f"{sent.runs.latest('id').started_at:%Y-%m}"


def _journey(people: factories.Cast) -> Journey:
    """A live journey with somebody inside and somebody through it, and changes to its draft."""
    return Journey.objects.first() or drawn.walked([people.ada, people.ben])


PUBLIC = {
    "sign up": "/subscribe/",
    "a broken confirmation": "/confirm/none/",
    "broken preferences": "/preferences/none/",
    "a broken copy": "/copy/none/",
    "sign in": "/login/",
    "a broken unsubscribe link": "/u/none",
}
# Made by others: they must obey the policy and fit the window, but their colours are their own.
FOREIGN = {
    "API documentation": "/api/docs/",
    "admin": "/admin/",
    "admin's list": "/admin/core/job/",
    "admin's form": "/admin/core/user/add/",
}


def _seeds() -> dict[str, str]:
    """Seed mailboxes, and a test with a copy of every kind."""
    box = SeedMailbox.objects.create(
        label="Gmail", address="seed@example.com", host="imap.example.com", spam="[Gmail]/Spam",
        error="imap.example.com does not answer",
    )  # fmt: skip
    said = {"from_name": "Shop", "from_email": "hello@shop.example", "channel": "email"}
    test = SeedTest.objects.create(title="Spring letter", content=said, at=factories.NOW)
    came = {"sent_at": factories.NOW, "looks": 2, "looked_at": factories.NOW + timedelta(minutes=1)}
    SeedCopy.objects.bulk_create(
        SeedCopy(
            test=test, label=f"Box {n}", address=f"s{n}@example.com", key=f"{n:032}",
            state=state, place=place, **{**(came if state != "refused" else {}), **more},
        )
        for n, (state, place, more) in enumerate([
            ("found", "inbox", {"arrived_at": factories.NOW + timedelta(seconds=4), "spf": "pass",
                                "dkim": "fail", "dmarc": "none", "authentication": "mx; spf=pass"}),
            ("found", "other", {"folder": "Offers", "arrived_at": factories.NOW}),
            ("found", "spam", {"folder": "Junk", "arrived_at": factories.NOW}),
            ("missing", "", {}), ("unseen", "", {}), ("refused", "", {"error": "550 no"}),
        ])
    )  # fmt: skip
    return {
        "seed mailboxes": reverse("campaigns:seed-list"),
        "seed mailbox": reverse("campaigns:seed-edit", args=[box.pk]),
        "seed test": reverse("campaigns:seed-test", args=[test.pk]),
    }


def _channels() -> dict[str, str]:
    """Settings of channels and domains, and the forms of messages that are not mails."""
    channel, _fresh = saving.save(
        provider="sms_gateway",
        name="Texts",
        given={"url": "https://sms.example/send", "body": '{"text": "{{ text }}"}'},
        user=None,
        now=factories.NOW,
    )
    domain = domains.add(name="shop.example", user=None, now=factories.NOW)
    note = Template.objects.create(
        name="Sale", kind="sms", parts={"text": "Sale, {{ first_name }}"}
    )
    return {
        "channels": reverse("campaigns:channel-list"),
        "new channel": reverse("campaigns:channel-new"),
        "new mail channel": reverse("campaigns:channel-create", args=["email_anymail"]),
        "channel": reverse("campaigns:channel-edit", args=[channel.pk]),
        "domains": reverse("campaigns:domain-list"),
        "domain": reverse("campaigns:domain-detail", args=[domain.pk]),
        **_seeds(),
        "sms": reverse("campaigns:note-edit", args=[note.pk]),
        "new webhook message": reverse("campaigns:note-new", args=["webhook"]),
    }


def _lab_page() -> str:
    lab_rows.fill()
    return reverse("recommendations:lab")


def _placement() -> str:
    return build.default_placement().slug
