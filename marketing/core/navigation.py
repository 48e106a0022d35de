"""The main navigation: one list for the sidebar, the phone bar, the palette and the shortcuts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True)
class Link:
    """A place to go. `key` follows G (go to) or C (create) on the keyboard."""

    label: Any
    icon: str
    name: str
    key: str = ""
    url: str = ""
    current: bool = False
    phone: bool = False
    right: str = "view"


@dataclass(frozen=True)
class Group:
    label: Any
    links: tuple[Link, ...]


GROUPS = (
    Group(_("Main"), (Link(_("Home"), "home", "home", "h", phone=True),)),
    Group(
        _("Engage"),
        (
            Link(_("Campaigns"), "send", "campaigns:campaign-list", "c", phone=True),
            Link(_("Journeys"), "route", "campaigns:journey-list", "j"),
            Link(_("Ads"), "target-arrow", "campaigns:ads", "a"),
            Link(_("Content"), "template", "campaigns:template-list", "t"),
            Link(_("Calendar"), "calendar-event", "campaigns:calendar", "l"),
        ),
    ),
    Group(
        _("Audience"),
        (
            Link(_("People"), "users", "ingestion:customer-list", "p", phone=True),
            Link(_("Segments"), "chart-pie-2", "campaigns:segment-list", "s", phone=True),
            Link(_("Decision tree"), "binary-tree-2", "campaigns:tree", "d"),
        ),
    ),
    Group(
        _("Understand"),
        (
            Link(_("Insights"), "chart-area-line", "models_ml:insights", "u"),
            Link(_("Models"), "brain", "models_ml:model-list", "m"),
            Link(_("Recommendations"), "sparkles", "recommendations:home", "r"),
            Link(_("Experiments"), "flask", "campaigns:experiment-list", "e"),
        ),
    ),
    Group(
        _("Set up"),
        (
            Link(_("Data"), "database", "ingestion:source-list", "i"),
            Link(_("Jobs"), "history", "core:job-list", "b"),
            Link(_("Settings"), "settings", "core:profile", "x"),
        ),
    ),
)
# The tabs under Data, in order of a day's work; `key` is the name a page gives as its tab.
DATA_TABS = (
    Link(_("Sources"), "plug-connected", "ingestion:source-list", "sources"),
    Link(_("Imports"), "table-import", "ingestion:import-list", "imports"),
    Link(_("Events"), "activity", "ingestion:event-stream", "events"),
    Link(_("Schema"), "list-details", "ingestion:schema-list", "schema"),
    Link(_("Quality"), "heartbeat", "ingestion:quality-home", "quality"),
    Link(pgettext_lazy("people", "Duplicates"), "users", "ingestion:duplicate-list", "duplicates"),
    Link(_("Products"), "tag", "ingestion:product-list", "products"),
    Link(_("Privacy"), "shield-check", "ingestion:privacy-home", "privacy"),
)
# The tabs under Insights; `key` is the name a page gives as its tab.
INSIGHT_TABS = (
    Link(_("RFM"), "layout-grid", "models_ml:rfm", "rfm"),
    Link(_("Lifecycle"), "arrows-exchange", "models_ml:lifecycle", "lifecycle"),
    Link(_("Clusters"), "chart-dots-3", "models_ml:clusters", "clusters"),
    Link(_("Cohorts"), "calendar-stats", "models_ml:cohorts", "cohorts"),
    Link(_("Demand"), "trending-up", "models_ml:demand", "demand"),
)
CREATIONS = (
    Link(_("New campaign"), "send", "campaigns:campaign-new", "c", right="edit"),
    Link(_("New journey"), "route", "campaigns:journey-new", "j", right="edit"),
    Link(_("New segment"), "chart-pie-2", "campaigns:segment-new", "s", right="edit"),
    Link(_("Import a file"), "table-import", "ingestion:import-new", "i", right="data"),
    Link(_("New API key"), "key", "core:keys", "k", right="keys"),
)


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def groups(*, path: str) -> list[Group]:
    """The groups with addresses; current is the longest address that `path` begins with."""
    found = [
        Group(
            group.label,
            tuple(replace(link, url=url) for link in group.links if (url := _address(link.name))),
        )
        for group in GROUPS
    ]
    urls = [link.url for group in found for link in group.links]
    fitting = [url for url in urls if path == url or (url != "/" and path.startswith(url))]
    best = max(fitting, key=len, default=None)
    return [
        Group(group.label, tuple(replace(link, current=link.url == best) for link in group.links))
        for group in found
        if group.links
    ]


def data_tabs() -> list[Link]:
    """The tabs under Data, with addresses."""
    return _there(DATA_TABS)


def insight_tabs() -> list[Link]:
    """The tabs under Insights, with addresses."""
    return _there(INSIGHT_TABS)


def _there(links: tuple[Link, ...]) -> list[Link]:
    return [replace(link, url=url) for link in links if (url := _address(link.name))]


def creations(*, rights: Mapping[str, bool]) -> list[Link]:
    """What may be made from anywhere by somebody with these rights."""
    return [
        replace(link, url=url)
        for link in CREATIONS
        if rights.get(link.right) and (url := _address(link.name))
    ]
