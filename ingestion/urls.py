"""Pages and API addresses of this app."""

from django.urls import path

from ingestion.api.consents import ConsentList
from ingestion.api.customers import CustomerDetail, CustomerList
from ingestion.api.events import EventList
from ingestion.api.imports import ImportDetail, ImportList, ImportRejects
from ingestion.api.mentions import MentionList
from ingestion.api.merges import CustomerMerge, MergeList, MergeUndo
from ingestion.api.orders import OrderDetail, OrderList
from ingestion.api.privacy import (
    CopyDetail,
    CopyFile,
    PrivacyRequestDetail,
    PrivacyRequestFulfil,
    PrivacyRequestList,
    SuppressionList,
)
from ingestion.api.products import ProductDetail, ProductList
from ingestion.api.quality import EventTypeDetail, EventTypeList, QualityNow
from ingestion.api.sources import PullList, SourceDetail, SourceList
from ingestion.tracking import door, serving
from ingestion.tracking import pages as tracking
from ingestion.views import (
    connectors,
    hooks,
    identity,
    imports,
    people,
    privacy,
    products,
    public,
    quality,
    recipes,
    schema,
    sources,
    suppression,
    webhooks,
)
from ingestion.views import events as stream
from ingestion.views import person_privacy as own
from ingestion.views import privacy_rules as rules

app_name = "ingestion"

pages: list = [
    path("people/", people.customer_list, name="customer-list"),
    path("data/", imports.import_list, name="import-list"),
    path("data/new/", imports.import_new, name="import-new"),
    path("data/events/", stream.event_stream, name="event-stream"),
    path("data/events/rows/", stream.event_rows, name="event-rows"),
    path("data/events/refused/", stream.event_refused, name="event-refused"),
    path("data/events/refused/change/", stream.refused_change, name="refused-change"),
    path("data/events/<int:event_id>/", stream.event_detail, name="event-detail"),
    path("data/schema/", schema.schema_list, name="schema-list"),
    path("data/schema/unknown/", schema.schema_unknown, name="schema-unknown"),
    path("data/schema/<int:type_id>/", schema.event_type, name="event-type"),
    path("data/schema/<int:type_id>/plan/", schema.plan_save, name="plan-save"),
    path("data/quality/", quality.quality_home, name="quality-home"),
    path("data/quality/measure/", quality.quality_measure, name="quality-measure"),
    path(
        "data/quality/problems/<int:problem_id>/", quality.quality_problem, name="quality-problem"
    ),
    path("data/quality/problems/<int:problem_id>/mute/", quality.problem_mute, name="problem-mute"),
    path("data/quality/expectations/", quality.expectation_list, name="expectations"),
    path("data/quality/expectations/new/", quality.expectation_edit, name="expectation-new"),
    path("data/quality/expectations/keep/", quality.expectation_keep, name="expectation-keep"),
    path(
        "data/quality/expectations/<int:expectation_id>/",
        quality.expectation_edit,
        name="expectation-edit",
    ),
    path(
        "data/quality/expectations/<int:expectation_id>/remove/",
        quality.expectation_remove,
        name="expectation-remove",
    ),
    path("data/quality/alerts/", quality.alert_list, name="alerts"),
    path("data/quality/alerts/save/", quality.alert_save, name="alert-save"),
    path("data/tracking/new/", tracking.new, name="tracking-new"),
    path("data/tracking/<int:source_id>/", tracking.detail, name="tracking"),
    path("data/tracking/<int:source_id>/live/", tracking.live, name="tracking-live"),
    path("data/tracking/<int:source_id>/key/", tracking.rotate, name="tracking-rotate"),
    path("data/tracking/<int:source_id>/switch/", tracking.switch, name="tracking-switch"),
    path("data/tracking/<int:source_id>/orders/", tracking.orders, name="tracking-orders"),
    path("data/sources/", sources.source_list, name="source-list"),
    path("data/sources/new/", sources.source_new, name="source-new"),
    path("data/sources/new/<slug:kind>/", connectors.connector_new, name="connector-new"),
    path("data/sources/<int:source_id>/", sources.source_detail, name="source-detail"),
    path("data/sources/<int:source_id>/edit/", connectors.connector_edit, name="connector-edit"),
    path("data/sources/<int:source_id>/test/", connectors.connector_test, name="connector-test"),
    path("data/sources/<int:source_id>/run/", connectors.connector_run, name="connector-run"),
    path(
        "data/sources/<int:source_id>/switch/",
        connectors.connector_switch,
        name="connector-switch",
    ),
    path("data/sources/<int:source_id>/remove/", sources.source_remove, name="source-remove"),
    path(
        "data/sources/<int:source_id>/recipe/<slug:kind>/",
        recipes.recipe_edit,
        name="recipe-edit",
    ),
    path(
        "data/sources/<int:source_id>/recipe/<slug:kind>/try/",
        recipes.recipe_try,
        name="recipe-try",
    ),
    path(
        "data/sources/<int:source_id>/recipe/<slug:kind>/save/",
        recipes.recipe_save,
        name="recipe-save",
    ),
    path(
        "data/sources/<int:source_id>/recipe/<slug:kind>/rates/",
        recipes.recipe_rates,
        name="recipe-rates",
    ),
    path(
        "data/sources/<int:source_id>/recipe/<slug:kind>/repeat/",
        recipes.recipe_repeat,
        name="recipe-repeat",
    ),
    path("data/webhooks/new/<slug:scheme>/", webhooks.webhook_new, name="webhook-new"),
    path("data/webhooks/<int:source_id>/", webhooks.webhook_detail, name="webhook"),
    path("data/webhooks/<int:source_id>/live/", webhooks.webhook_live, name="webhook-live"),
    path("data/webhooks/<int:source_id>/test/", webhooks.webhook_test, name="webhook-test"),
    path("data/webhooks/<int:source_id>/switch/", webhooks.webhook_switch, name="webhook-switch"),
    path("data/webhooks/<int:source_id>/secret/", webhooks.webhook_rotate, name="webhook-rotate"),
    path("data/webhooks/<int:source_id>/map/", webhooks.webhook_map, name="webhook-map"),
    path(
        "data/webhooks/<int:source_id>/again/<int:receipt_id>/",
        webhooks.webhook_again,
        name="webhook-again",
    ),
    path("data/duplicates/", identity.duplicate_list, name="duplicate-list"),
    path("data/duplicates/compare/", identity.compare_people, name="people-compare"),
    path("data/duplicates/certain/", identity.merge_certain, name="merge-certain"),
    path("data/duplicates/names/<int:name_id>/allow/", identity.name_allow, name="name-allow"),
    path("data/duplicates/<int:kept>/<int:gone>/", identity.merge_preview, name="merge-preview"),
    path(
        "data/duplicates/<int:kept>/<int:gone>/merge/", identity.merge_people, name="people-merge"
    ),
    path("data/duplicates/<int:kept>/<int:gone>/apart/", identity.keep_apart, name="people-apart"),
    path("data/merges/", identity.merge_history, name="merge-history"),
    path("data/merges/<int:merge_id>/undo/", identity.merge_undo, name="merge-undo"),
    path("data/products/", products.product_list, name="product-list"),
    path("data/<uuid:public_id>/", imports.import_detail, name="import-detail"),
    path("data/<uuid:public_id>/map/", imports.import_map, name="import-map"),
    path("data/<uuid:public_id>/preview/", imports.import_preview, name="import-preview"),
    path("data/<uuid:public_id>/trial/", imports.import_trial, name="import-trial"),
    path("data/<uuid:public_id>/discard/", imports.import_discard, name="import-discard"),
    path("data/<uuid:public_id>/live/", imports.import_live, name="import-live"),
    path("data/<uuid:public_id>/rejects.csv", imports.import_rejects, name="import-rejects"),
]
_privacy = [
    path("data/privacy/", privacy.privacy_home, name="privacy-home"),
    path("data/privacy/consent/", rules.consent_home, name="privacy-consent"),
    path("data/privacy/consent/add/", rules.purpose_add, name="purpose-add"),
    path("data/privacy/consent/text/", rules.text_write, name="consent-text"),
    path("data/privacy/consent/<slug:slug>/archive/", rules.purpose_archive, name="purpose-end"),
    path("data/privacy/suppression/", suppression.suppression_list, name="privacy-suppression"),
    path("data/privacy/suppression/add/", suppression.suppression_add, name="suppression-add"),
    path("data/privacy/suppression/lift/", suppression.suppression_lift, name="suppression-lift"),
    path(
        "data/privacy/suppression/list.csv",
        suppression.suppression_export,
        name="suppression-export",
    ),
    path("people/<int:customer_id>/suppress/", suppression.person_suppress, name="person-suppress"),
    path("data/privacy/retention/", rules.retention_home, name="privacy-retention"),
    path("data/privacy/retention/plan/", rules.retention_plan, name="retention-plan"),
    path("data/privacy/retention/choose/", rules.retention_choose, name="retention-choose"),
    path("data/privacy/requests/<uuid:public_id>/", privacy.request_detail, name="privacy-request"),
    path(
        "data/privacy/requests/<uuid:public_id>/close/",
        privacy.request_close,
        name="privacy-close",
    ),
    path("data/privacy/receipts/<uuid:public_id>/", privacy.receipt_detail, name="erasure-receipt"),
    path("data/privacy/copies/<uuid:public_id>/", privacy.copy_fetch, name="privacy-copy"),
    path("people/<int:customer_id>/privacy/", own.person_privacy, name="person-privacy"),
    path("people/<int:customer_id>/privacy/answer/", own.answer, name="person-answer"),
    path("people/<int:customer_id>/privacy/confirm/", own.ask_to_confirm, name="person-confirm"),
    path("people/<int:customer_id>/privacy/request/", own.file_request, name="person-request"),
    path("people/<int:customer_id>/privacy/copy/", own.copy_start, name="person-copy"),
    path("subscribe/", public.subscribe, name="subscribe"),
    path("confirm/<str:token>/", public.confirm, name="confirm"),
    path("preferences/<str:token>/", public.preference_page, name="preferences"),
    path("copy/<str:token>/", public.copy_page, name="copy"),
]
pages += _privacy
api: list = [
    path("customers/", CustomerList.as_view(), name="customer-list"),
    path("customers/<str:external_id>/merge/", CustomerMerge.as_view(), name="customer-merge"),
    path("merges/", MergeList.as_view(), name="merge-list"),
    path("merges/<int:merge_id>/undo/", MergeUndo.as_view(), name="api-merge-undo"),
    path("customers/<str:external_id>/", CustomerDetail.as_view(), name="customer-detail"),
    path("products/", ProductList.as_view(), name="product-list"),
    path("products/<path:sku>/", ProductDetail.as_view(), name="product-detail"),
    path("orders/", OrderList.as_view(), name="order-list"),
    path("orders/<path:external_id>/", OrderDetail.as_view(), name="order-detail"),
    path("consents/", ConsentList.as_view(), name="consent-list"),
    path("events/", EventList.as_view(), name="event-list"),
    path("suppressions/", SuppressionList.as_view(), name="suppression-list"),
    path("privacy/requests/", PrivacyRequestList.as_view(), name="privacy-request-list"),
    path(
        "privacy/requests/<uuid:public_id>/",
        PrivacyRequestDetail.as_view(),
        name="privacy-request-detail",
    ),
    path(
        "privacy/requests/<uuid:public_id>/fulfil/",
        PrivacyRequestFulfil.as_view(),
        name="privacy-request-fulfil",
    ),
    path("privacy/copies/<uuid:public_id>/", CopyDetail.as_view(), name="privacy-copy-detail"),
    path("privacy/copies/<uuid:public_id>/file/", CopyFile.as_view(), name="privacy-copy-file"),
    path("mentions/", MentionList.as_view(), name="mention-list"),
    path("sources/", SourceList.as_view(), name="source-list"),
    path("sources/<int:source_id>/", SourceDetail.as_view(), name="source-detail"),
    path("sources/<int:source_id>/pulls/", PullList.as_view(), name="pull-list"),
    path("event-types/", EventTypeList.as_view(), name="event-type-list"),
    path("event-types/<int:type_id>/", EventTypeDetail.as_view(), name="event-type-detail"),
    path("quality/", QualityNow.as_view(), name="quality"),
    path("imports/", ImportList.as_view(), name="import-list"),
    path("imports/<uuid:public_id>/", ImportDetail.as_view(), name="import-detail"),
    path("imports/<uuid:public_id>/rejects/", ImportRejects.as_view(), name="import-rejects"),
]
# What other people's pages and programs speak to, without an API key: outside /api/.
doors: list = [
    path("hooks/in/<str:token>/", hooks.receive, name="webhook"),
    path("v1/<str:call>", door.receive, name="tracking-call"),
    path("t.js", serving.script, name="tracker"),
    path("t/<str:version>.js", serving.script, name="tracker-version"),
]
