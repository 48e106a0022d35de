"""Addresses of segments, content and campaigns, composed from a list per noun."""

from django.urls import path

from campaigns.api import ads as ads_api
from campaigns.api import blocks as blocks_api
from campaigns.api import campaigns as campaigns_api
from campaigns.api import effects as effects_api
from campaigns.api import inbox as inbox_api
from campaigns.api import journey_people as journey_people_api
from campaigns.api import journeys as journeys_api
from campaigns.api import manners as manners_api
from campaigns.api import push as push_api
from campaigns.api import segments as segments_api
from campaigns.api import templates as templates_api
from campaigns.api import variants as variants_api
from campaigns.views import (
    ad_exports,
    ads,
    builder,
    calendar,
    campaigns,
    channels,
    check,
    content,
    experiments,
    journeys,
    journeys_effect,
    journeys_life,
    journeys_people,
    journeys_person,
    journeys_tools,
    kept,
    library,
    lists,
    manners,
    message_step,
    messages,
    notes,
    previews,
    public,
    reports,
    returned,
    reviews,
    seeds,
    segments,
    tree,
    versions,
    wizard,
)

app_name = "campaigns"

_segments = [
    path("segments/", segments.segment_list, name="segment-list"),
    path("segments/new/", builder.segment_new, name="segment-new"),
    path("segments/preview/", builder.segment_preview, name="segment-preview"),
    path("segments/overlap/", builder.segment_overlap, name="segment-overlap"),
    path("segments/lists/", lists.list_index, name="list-index"),
    path("segments/lists/add/", lists.list_add, name="list-add"),
    path("segments/lists/upload/", lists.list_upload, name="list-upload"),
    path("segments/lists/of-stages/", kept.list_of_stages, name="list-of-stages"),
    path("segments/lists/<int:pk>/", lists.list_state, name="list-state"),
    path("segments/lists/<int:pk>/replace/", lists.list_add, name="list-replace"),
    path("segments/lists/<int:pk>/remove/", lists.list_remove, name="list-remove"),
    path("segments/create/", segments.segment_save, name="segment-create"),
    path("segments/tree/", tree.tree, name="tree"),
    path("segments/tree/train/", tree.tree_train, name="tree-train"),
    path("segments/tree/new/", tree.new, name="tree-new"),
    path("segments/tree/<int:version_id>/keep/", tree.leaves_save, name="tree-leaves-save"),
    path("segments/tree/<int:version_id>/<int:leaf>/", tree.leaf_save, name="tree-leaf-save"),
    path("segments/tree/<slug:key>/", tree.question, name="tree-question"),
    path("segments/tree/<slug:key>/train/", tree.question_train, name="tree-question-train"),
    path("segments/tree/<slug:key>/archive/", tree.question_archive, name="tree-question-archive"),
    path("segments/<int:pk>/", builder.segment_edit, name="segment-edit"),
    path("segments/<int:pk>/save/", segments.segment_save, name="segment-update"),
    path("segments/<int:pk>/archive/", segments.segment_archive, name="segment-archive"),
    path("segments/<int:pk>/people/", segments.segment_people, name="segment-people"),
]
_segments_api = [
    path("segments/", segments_api.SegmentList.as_view(), name="segment-list"),
    path("segments/moves/", segments_api.SegmentMoves.as_view(), name="segment-moves"),
    path("segments/count/", segments_api.RuleCount.as_view(), name="segment-rule-count"),
    path("segments/<int:segment_id>/", segments_api.SegmentDetail.as_view(), name="segment-detail"),
    path(
        "segments/<int:segment_id>/count/",
        segments_api.SegmentCount.as_view(),
        name="segment-count",
    ),
    path(
        "segments/<int:segment_id>/members/",
        segments_api.SegmentMembers.as_view(),
        name="segment-members",
    ),
]
_campaigns = [
    path("campaigns/", campaigns.campaign_list, name="campaign-list"),
    path("calendar/", calendar.month, name="calendar"),
    path("campaigns/new/", wizard.campaign_audience, name="campaign-new"),
    path("campaigns/not-sent/", manners.not_sent, name="not-sent"),
    path("campaigns/not-sent/<slug:reason>/", manners.not_sent_people, name="not-sent-people"),
    path("settings/sending/", manners.sending_rules, name="sending-rules"),
    path("settings/sending/pressure/", manners.sending_pressure, name="sending-pressure"),
    path("settings/returned/", returned.returned_mail, name="returned-mail"),
    path("settings/returned/<int:box_id>/", returned.returned_mail, name="return-box"),
    path("settings/returned/<int:box_id>/remove/", returned.box_remove, name="return-box-remove"),
    path("campaigns/reach/", wizard.campaign_reach, name="campaign-reach"),
    path("campaigns/<int:campaign_id>/", campaigns.campaign_detail, name="campaign-detail"),
    path("campaigns/<int:campaign_id>/visits/", campaigns.campaign_visits, name="campaign-visits"),
    path("campaigns/<int:campaign_id>/live/", campaigns.campaign_live, name="campaign-live"),
    path(
        "campaigns/<int:campaign_id>/audience/",
        wizard.campaign_audience,
        name="campaign-audience",
    ),
    path(
        "campaigns/<int:campaign_id>/message/",
        message_step.campaign_message,
        name="campaign-message",
    ),
    path("campaigns/<int:campaign_id>/timing/", wizard.campaign_timing, name="campaign-timing"),
    path("campaigns/<int:campaign_id>/check/", check.campaign_check, name="campaign-check"),
    path("campaigns/<int:campaign_id>/fair/", check.campaign_fair, name="campaign-fair"),
    path("campaigns/<int:campaign_id>/tried/", check.campaign_tried, name="campaign-tried"),
    path("campaigns/<int:campaign_id>/links/", reviews.campaign_links, name="campaign-links"),
    path(
        "campaigns/<int:campaign_id>/links/look/",
        reviews.campaign_links_look,
        name="campaign-links-look",
    ),
    path("campaigns/<int:campaign_id>/outlook/", reviews.campaign_outlook, name="campaign-outlook"),
    path("campaigns/<int:campaign_id>/ask/", reviews.campaign_ask, name="campaign-ask"),
    path("campaigns/<int:campaign_id>/decide/", reviews.campaign_decide, name="campaign-decide"),
    path(
        "campaigns/<int:campaign_id>/schedule/",
        campaigns.campaign_schedule,
        name="campaign-schedule",
    ),
    path(
        "campaigns/<int:campaign_id>/archive/", campaigns.campaign_archive, name="campaign-archive"
    ),
    path("settings/sending/approval/", reviews.approval_rule, name="approval-rule"),
    path("campaigns/<int:campaign_id>/start/", campaigns.campaign_start, name="campaign-start"),
    path("campaigns/<int:campaign_id>/waive/", reviews.campaign_waive, name="campaign-waive"),
    path("campaigns/<int:campaign_id>/pause/", campaigns.campaign_pause, name="campaign-pause"),
    path("campaigns/<int:campaign_id>/resume/", campaigns.campaign_resume, name="campaign-resume"),
    path("campaigns/<int:campaign_id>/cancel/", campaigns.campaign_cancel, name="campaign-cancel"),
    path("campaigns/<int:campaign_id>/copy/", campaigns.campaign_copy, name="campaign-copy"),
    path("campaigns/<int:campaign_id>/delete/", campaigns.campaign_delete, name="campaign-delete"),
    path("campaigns/<int:campaign_id>/people/", messages.message_list, name="message-list"),
    path("messages/<int:message_id>/", messages.message_detail, name="message-detail"),
    path("messages/<int:message_id>/mail/", messages.message_mail, name="message-mail"),
    path("messages/<int:message_id>/source/", messages.message_source, name="message-source"),
]
_experiments = [
    path("experiments/", experiments.experiment_list, name="experiment-list"),
    path("experiments/holdout/", experiments.holdout_page, name="holdout"),
    path("experiments/credit/", experiments.credit_page, name="credit"),
    path("experiments/holdout/keep/", experiments.holdout_keep, name="holdout-keep"),
    path(
        "campaigns/<int:campaign_id>/variants/",
        experiments.campaign_variants,
        name="campaign-variants",
    ),
    path(
        "campaigns/<int:campaign_id>/channels/",
        experiments.campaign_channels,
        name="campaign-channels",
    ),
    path("campaigns/<int:campaign_id>/cost/", experiments.campaign_cost, name="campaign-cost"),
]
_content = [
    path("content/", content.template_list, name="template-list"),
    path("content/blocks/", library.block_list, name="block-list"),
    path("content/blocks/new/", library.block_edit, name="block-new"),
    path("content/blocks/keep/", library.block_keep, name="block-keep"),
    path("content/blocks/look/", library.block_look, name="block-look"),
    path("content/blocks/preview/", library.block_preview, name="block-preview"),
    path("content/blocks/<int:block_id>/", library.block_edit, name="block-edit"),
    path("content/blocks/<int:block_id>/delete/", library.block_delete, name="block-delete"),
    path("content/blocks/<int:block_id>/versions/", versions.block_versions, name="block-versions"),
    path(
        "content/blocks/<int:block_id>/versions/<int:number>/restore/",
        versions.block_restore,
        name="block-restore",
    ),
    path(
        "content/blocks/<int:block_id>/languages/<str:language>/delete/",
        library.block_unlanguage,
        name="block-unlanguage",
    ),
    path("content/new/", content.template_edit, name="template-new"),
    path("content/new/<str:kind>/", notes.note_new, name="note-new"),
    path("content/<int:template_id>/note/", notes.note_edit, name="note-edit"),
    path("content/<int:template_id>/use/", notes.note_use, name="note-use"),
    path("content/preview/", previews.template_preview, name="template-preview"),
    path("content/look/", previews.template_look, name="template-look"),
    path("content/sample/", previews.template_sample, name="template-sample"),
    path("content/people/", previews.template_people, name="template-people"),
    path("content/test/", previews.template_test, name="template-test"),
    path("content/test/<str:kind>/", notes.note_test, name="note-test"),
    path("content/<int:template_id>/", content.template_edit, name="template-edit"),
    path("content/<int:template_id>/mail/", previews.template_mail, name="template-mail"),
    path("content/<int:template_id>/delete/", content.template_delete, name="template-delete"),
    path(
        "content/<int:template_id>/versions/", versions.template_versions, name="template-versions"
    ),
    path(
        "content/<int:template_id>/versions/<int:number>/restore/",
        versions.template_restore,
        name="template-restore",
    ),
    path(
        "content/<int:template_id>/language/<str:language>/remove/",
        content.template_unlanguage,
        name="template-unlanguage",
    ),
]
_journeys = [
    path("journeys/", journeys.journey_list, name="journey-list"),
    path("journeys/new/", journeys.journey_new, name="journey-new"),
    path("journeys/questions/", journeys.journey_questions, name="journey-questions"),
    path("journeys/<int:pk>/", journeys.journey_edit, name="journey-edit"),
    path("journeys/<int:pk>/look/", journeys.journey_look, name="journey-look"),
    path("journeys/<int:pk>/save/", journeys.journey_save, name="journey-save"),
    path("journeys/<int:pk>/rename/", journeys.journey_rename, name="journey-rename"),
    path("journeys/<int:pk>/check/", journeys_life.journey_check, name="journey-check"),
    path("journeys/<int:pk>/publish/", journeys_life.journey_publish, name="journey-publish"),
    path("journeys/<int:pk>/versions/", journeys_life.journey_versions, name="journey-versions"),
    path("journeys/<int:pk>/move/", journeys_life.journey_move, name="journey-move"),
    path("journeys/<int:pk>/people/", journeys_people.journey_people, name="journey-people"),
    path("journeys/<int:pk>/messages/", journeys_people.journey_messages, name="journey-messages"),
    path("journeys/of/<int:pk>/", journeys_person.person_journeys, name="person-journeys"),
    path("journeys/stays/<int:pk>/end/", journeys_person.stay_end, name="stay-end"),
    path("journeys/<int:pk>/effect/", journeys_effect.journey_effect, name="journey-effect"),
    path("journeys/<int:pk>/test/", journeys_tools.journey_test, name="journey-test"),
    path("journeys/<int:pk>/replay/", journeys_tools.journey_replay, name="journey-replay"),
    path("journeys/<int:pk>/act/<slug:act>/", journeys_life.journey_act, name="journey-act"),
]
_channels = [
    path("settings/channels/", channels.channel_list, name="channel-list"),
    path("settings/channels/new/", channels.channel_new, name="channel-new"),
    path("settings/channels/new/<str:provider>/", channels.channel_create, name="channel-create"),
    path("settings/channels/<int:channel_id>/", channels.channel_edit, name="channel-edit"),
    path("settings/channels/<int:channel_id>/act/", channels.channel_act, name="channel-act"),
    path("settings/domains/", channels.domain_list, name="domain-list"),
    path("settings/domains/<int:domain_id>/", channels.domain_detail, name="domain-detail"),
    path("settings/domains/<int:domain_id>/act/", channels.domain_act, name="domain-act"),
    path("settings/seeds/", seeds.seed_list, name="seed-list"),
    path("settings/seeds/<int:mailbox_id>/", seeds.seed_list, name="seed-edit"),
    path("settings/seeds/<int:mailbox_id>/remove/", seeds.seed_remove, name="seed-remove"),
    path("content/seeds/", seeds.template_seeds, name="template-seeds"),
    path("content/seeds/<int:test_id>/", seeds.seed_test, name="seed-test"),
    path("content/seeds/<int:test_id>/results/", seeds.seed_results, name="seed-results"),
    path("campaigns/<int:campaign_id>/seeds/", seeds.campaign_seeds, name="campaign-seeds"),
]
_public = [
    path("u/<str:token>", public.unsubscribe, name="unsubscribe"),
    path("hooks/channels/<uuid:public_id>/", reports.channel_reports, name="channel-reports"),
    path("o/<str:token>.gif", public.opened, name="opened"),
    path("c/<str:token>/<str:mac>", public.clicked, name="clicked"),
]
_channels_api = [
    path("inbox/", inbox_api.InboxList.as_view(), name="inbox-list"),
    path("inbox/unread/", inbox_api.InboxUnread.as_view(), name="inbox-unread"),
    path("inbox/read/", inbox_api.InboxRead.as_view(), name="inbox-read"),
    path("push/subscriptions/", push_api.PushSubscriptions.as_view(), name="push-subscriptions"),
]
_blocks_api = [
    path("templates/", templates_api.TemplateList.as_view(), name="template-list"),
    path("blocks/", blocks_api.BlockList.as_view(), name="block-list"),
    path("blocks/<int:block_id>/", blocks_api.BlockDetail.as_view(), name="block-detail"),
    path(
        "blocks/<int:block_id>/versions/", blocks_api.BlockVersions.as_view(), name="block-versions"
    ),
    path(
        "blocks/<int:block_id>/versions/<int:version>/restore/",
        blocks_api.BlockRestore.as_view(),
        name="block-restore",
    ),
]
_campaigns_api = [
    path("sending-rules/", manners_api.Rules.as_view(), name="sending-rules"),
    path("unsent/", manners_api.Unsent.as_view(), name="unsent"),
    path("unsent/messages/", manners_api.UnsentMessages.as_view(), name="unsent-messages"),
    path("campaigns/", campaigns_api.CampaignList.as_view(), name="campaign-list"),
    path(
        "campaigns/<int:campaign_id>/",
        campaigns_api.CampaignDetail.as_view(),
        name="campaign-detail",
    ),
    path(
        "campaigns/<int:campaign_id>/start/",
        campaigns_api.CampaignStart.as_view(),
        name="campaign-start",
    ),
    path(
        "campaigns/<int:campaign_id>/waive/",
        campaigns_api.CampaignWaive.as_view(),
        name="campaign-waive",
    ),
    *(
        path(f"campaigns/<int:campaign_id>/{name}/", view.as_view(), name=f"campaign-{name}")
        for name, view in (
            ("schedule", campaigns_api.CampaignSchedule),
            ("archive", campaigns_api.CampaignArchive),
            ("approval", campaigns_api.CampaignApproval),
        )
    ),
    path(
        "campaigns/<int:campaign_id>/pause/",
        campaigns_api.CampaignPause.as_view(),
        name="campaign-pause",
    ),
    path(
        "campaigns/<int:campaign_id>/resume/",
        campaigns_api.CampaignResume.as_view(),
        name="campaign-resume",
    ),
    path(
        "campaigns/<int:campaign_id>/cancel/",
        campaigns_api.CampaignCancel.as_view(),
        name="campaign-cancel",
    ),
    path(
        "campaigns/<int:campaign_id>/effect/",
        effects_api.CampaignEffect.as_view(),
        name="campaign-effect",
    ),
    path(
        "campaigns/<int:campaign_id>/variants/",
        variants_api.CampaignVariants.as_view(),
        name="campaign-variants",
    ),
    path("holdout/", effects_api.Holdout.as_view(), name="holdout"),
    path(
        "campaigns/<int:campaign_id>/messages/",
        campaigns_api.MessageList.as_view(),
        name="campaign-messages",
    ),
]
_journeys_api = [
    path("journeys/", journeys_api.JourneyList.as_view(), name="journey-list"),
    path("journeys/<int:journey_id>/", journeys_api.JourneyDetail.as_view(), name="journey-detail"),
    *(
        path(f"journeys/<int:journey_id>/{name}/", view.as_view(), name=f"journey-{name}")
        for name, view in journey_people_api.ACTS.items()
    ),
]

_ads = [
    path("ads/", ads.ads, name="ads"),
    path("ads/new/", ads.ad_edit, name="ad-new"),
    path("ads/lists/", ad_exports.ad_exports, name="ad-exports"),
    path("ads/lists/start/", ad_exports.ad_export_start, name="ad-export-start"),
    path("ads/lists/purpose/", ad_exports.ad_purpose, name="ad-purpose"),
    path("ads/lists/<uuid:public_id>/take/", ad_exports.ad_export_take, name="ad-export-take"),
    path("ads/learn/", ads.ad_train, name="ad-train"),
    path("ads/of/<str:key>/", ads.ad, name="ad"),
    path("ads/of/<str:key>/edit/", ads.ad_edit, name="ad-edit"),
    path("ads/of/<str:key>/move/", ads.ad_move, name="ad-move"),
    path("ads/of/<str:key>/creative/", ads.ad_creative, name="ad-creative"),
    path("ads/of/<str:key>/results.csv", ads.ad_results, name="ad-results"),
]
_ads_api = [
    path("ads/campaigns/", ads_api.AdList.as_view(), name="ad-list"),
    path("ads/campaigns/<str:key>/", ads_api.AdDetail.as_view(), name="ad-detail"),
    path("ads/campaigns/<str:key>/move/", ads_api.AdMove.as_view(), name="ad-move"),
    path("ads/campaigns/<str:key>/creatives/", ads_api.CreativeList.as_view(), name="ad-creatives"),
    path(
        "ads/campaigns/<str:key>/creatives/<str:creative>/",
        ads_api.CreativeDetail.as_view(),
        name="ad-creative",
    ),
    path("ads/placements/", ads_api.PlacementList.as_view(), name="ad-placements"),
    path("ads/placements/<str:key>/", ads_api.PlacementDetail.as_view(), name="ad-placement"),
    path("ads/hits/", ads_api.HitList.as_view(), name="ad-hits"),
    path("ads/choice/", ads_api.ChoiceDoor.as_view(), name="ad-choice"),
]

pages: list = [
    *_ads,
    *_segments,
    *_campaigns,
    *_experiments,
    *_content,
    *_journeys,
    *_channels,
    *_public,
]
api: list = [
    *_segments_api,
    *_channels_api,
    *_blocks_api,
    *_campaigns_api,
    *_journeys_api,
    *_ads_api,
]
