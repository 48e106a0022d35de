"""Pages and API addresses of this app."""

from django.urls import path

from ingestion.api.consents import ConsentList
from ingestion.api.customers import CustomerDetail, CustomerList
from ingestion.api.events import EventList
from ingestion.api.imports import ImportDetail, ImportList, ImportRejects
from ingestion.api.orders import OrderDetail, OrderList
from ingestion.api.products import ProductDetail, ProductList
from ingestion.tracking import door, serving
from ingestion.tracking import pages as tracking
from ingestion.views import imports, people, products, sources

app_name = "ingestion"

pages: list = [
    path("people/", people.customer_list, name="customer-list"),
    path("data/", imports.import_list, name="import-list"),
    path("data/new/", imports.import_new, name="import-new"),
    path("data/health/", imports.data_health, name="data-health"),
    path("data/tracking/new/", tracking.new, name="tracking-new"),
    path("data/tracking/<int:source_id>/", tracking.detail, name="tracking"),
    path("data/tracking/<int:source_id>/live/", tracking.live, name="tracking-live"),
    path("data/tracking/<int:source_id>/key/", tracking.rotate, name="tracking-rotate"),
    path("data/tracking/<int:source_id>/switch/", tracking.switch, name="tracking-switch"),
    path("data/tracking/<int:source_id>/orders/", tracking.orders, name="tracking-orders"),
    path("data/sources/", sources.source_list, name="source-list"),
    path("data/sources/new/", sources.source_new, name="source-new"),
    path("data/sources/new/<slug:kind>/", sources.connector_new, name="connector-new"),
    path("data/sources/<int:source_id>/", sources.source_detail, name="source-detail"),
    path("data/sources/<int:source_id>/edit/", sources.connector_edit, name="connector-edit"),
    path("data/sources/<int:source_id>/test/", sources.connector_test, name="connector-test"),
    path("data/sources/<int:source_id>/run/", sources.connector_run, name="connector-run"),
    path("data/sources/<int:source_id>/switch/", sources.connector_switch, name="connector-switch"),
    path("data/sources/<int:source_id>/remove/", sources.source_remove, name="source-remove"),
    path("data/products/", products.product_list, name="product-list"),
    path("data/<uuid:public_id>/", imports.import_detail, name="import-detail"),
    path("data/<uuid:public_id>/map/", imports.import_map, name="import-map"),
    path("data/<uuid:public_id>/preview/", imports.import_preview, name="import-preview"),
    path("data/<uuid:public_id>/trial/", imports.import_trial, name="import-trial"),
    path("data/<uuid:public_id>/live/", imports.import_live, name="import-live"),
    path("data/<uuid:public_id>/rejects.csv", imports.import_rejects, name="import-rejects"),
]
api: list = [
    path("customers/", CustomerList.as_view(), name="customer-list"),
    path("customers/<str:external_id>/", CustomerDetail.as_view(), name="customer-detail"),
    path("products/", ProductList.as_view(), name="product-list"),
    path("products/<path:sku>/", ProductDetail.as_view(), name="product-detail"),
    path("orders/", OrderList.as_view(), name="order-list"),
    path("orders/<path:external_id>/", OrderDetail.as_view(), name="order-detail"),
    path("consents/", ConsentList.as_view(), name="consent-list"),
    path("events/", EventList.as_view(), name="event-list"),
    path("imports/", ImportList.as_view(), name="import-list"),
    path("imports/<uuid:public_id>/", ImportDetail.as_view(), name="import-detail"),
    path("imports/<uuid:public_id>/rejects/", ImportRejects.as_view(), name="import-rejects"),
]
# What other people's pages and programs speak to, without an API key: outside /api/.
doors: list = [
    path("v1/<str:call>", door.receive, name="tracking-call"),
    path("t.js", serving.script, name="tracker"),
    path("t/<str:version>.js", serving.script, name="tracker-version"),
]
