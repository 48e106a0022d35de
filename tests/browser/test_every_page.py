"""Every page, in both themes and both widths: readable, within its window, and without errors."""

import pytest

from tests import factories
from tests.browser.addresses import FOREIGN, PUBLIC, all_pages
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_empty_platform_is_sound_too(visit: Visit) -> None:
    visitor = visit(factories.user("admin"))
    paths = ("/", "/people/", "/data/", "/segments/", "/segments/tree/", "/models/", "/jobs/")
    found: list[str] = []
    for path in (*paths, "/recommendations/", "/campaigns/", "/content/", "/campaigns/new/"):
        visitor.go(path)
        found += [f"{path}: axe {line}" for line in visitor.axe()]
        found += [f"{path}: refused {line}" for line in visitor.refusals()]
    assert found + visitor.errors == []


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_every_page_is_sound(visit: Visit, shop: factories.Cast, width: str) -> None:
    visitor, stranger = visit(factories.user("admin"), width=width), visit(width=width)
    found: list[str] = []
    for name, path in all_pages(shop).items():
        found += [f"{name}: {line}" for line in visitor.unsound(path)]
    for name, path in PUBLIC.items():
        found += [f"{name}: {line}" for line in stranger.unsound(path)]
    found += [line for line in visitor.errors + stranger.errors if "404 (Not Found)" not in line]
    assert found == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_whoever_chose_a_theme_is_met_in_it(visit: Visit, theme: str) -> None:
    other = {"light": "dark", "dark": "light"}[theme]
    visitor = visit(factories.user("admin", theme=theme), theme=other)
    page = visitor.go("/")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == theme
    assert visitor.axe() + visitor.refusals() + visitor.errors == []


def test_pages_made_by_others_obey_the_policy(visit: Visit) -> None:
    visitor = visit(factories.user("admin"))
    found: list[str] = []
    for name, path in FOREIGN.items():
        visitor.go(path).wait_for_load_state("networkidle")
        found += [f"{name}: refused {line}" for line in visitor.refusals()]
    found += [line for line in visitor.errors if "404 (Not Found)" not in line]
    assert found == []
