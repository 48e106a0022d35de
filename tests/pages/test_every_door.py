"""Every address there is, whether a page leads to it or not: who gets no further than the door."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.factories import signed_in

pytestmark = pytest.mark.django_db
SAID = {
    "int": "1",
    "uuid": "0b3f6c1e-8d0c-4c53-9d2b-6d7a3a0c7f11",
    "slug": "x",
    "str": "x",
    "path": "x",
}
# Whoever comes here proves something else than a session, or nothing and is told nothing.
OPEN = {
    "login/", "login/code/", "logout/", "healthz", "readyz", "metrics", "brand/<str:name>",
    "u/<str:token>", "o/<str:token>.gif", "c/<str:token>/<str:mac>", "subscribe/",
    "confirm/<str:token>/", "preferences/<str:token>/", "copy/<str:token>/",
    "hooks/in/<str:token>/", "hooks/channels/<uuid:public_id>/", "v1/<str:call>", "t.js",
    "t/<str:version>.js", "r/picks", "r.js",
}  # fmt: skip
# A signature or a signed link stands in the place of a form's token.
WITHOUT_TOKEN = {
    "u/<str:token>", "subscribe/", "confirm/<str:token>/", "preferences/<str:token>/",
    "copy/<str:token>/", "hooks/in/<str:token>/", "hooks/channels/<uuid:public_id>/",
    "v1/<str:call>", "r/picks",
}  # fmt: skip
# What everybody may change of themselves, and questions that are too long for an address.
ANYBODYS = {
    "settings/theme/", "content/look/", "content/preview/", "content/sample/",
    "content/blocks/look/", "content/blocks/preview/", "segments/overlap/", "segments/preview/",
    "recommendations/placements/<slug:slug>/preview/",
}  # fmt: skip


def addresses(
    patterns: list[Any] | None = None, before: str = ""
) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """(how it is written, one such address, the view) of all but the API and Django's admin."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        written = before + str(one.pattern)
        if written.startswith(("api/", "admin/")):
            continue
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, written)
        else:
            said = re.sub(r"<(?:(\w+):)?\w+>", lambda part: SAID[part[1] or "str"], written)
            yield written, f"/{said}", one.callback


def test_a_stranger_is_sent_to_the_sign_in_from_everywhere_else() -> None:
    stranger, through = Client(), set()
    for written, address, _view in addresses():
        told = [ask(address) for ask in (stranger.get, stranger.post)]
        led = [answer for answer in told if answer.get("Location", "").startswith("/login/?next=")]
        rest = {answer.status_code for answer in told if answer not in led}
        if not led or rest - {405}:
            through.add(written)
    assert through == OPEN


def test_whoever_only_looks_gets_through_no_door_for_changes() -> None:
    looks, admin = signed_in("analyst"), signed_in("admin")
    through = {
        written
        for written, address, _view in addresses()
        if written not in OPEN
        and admin.get(address).status_code == 405  # it takes nothing but a form
        and looks.post(address).status_code not in (403, 405)
    }
    assert through == ANYBODYS


def test_only_what_is_signed_takes_a_form_without_its_token() -> None:
    exempt = {written for written, _at, view in addresses() if getattr(view, "csrf_exempt", False)}
    assert exempt == WITHOUT_TOKEN


def test_no_address_installs_or_updates_anything_or_resets_a_password() -> None:
    words = re.compile(r"install|upgrade|setup|migrat|plugin|theme-|reset|forgot|shell|debug")
    assert [written for written, _at, _view in addresses() if words.search(written)] == []
