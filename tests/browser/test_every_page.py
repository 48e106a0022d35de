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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_every_page_is_sound(visit: Visit, shop: factories.Cast, width: str, theme: str) -> None:
    visitor = visit(factories.user("admin", theme=theme), width=width, theme=theme)
    found: list[str] = []
    for name, path in all_pages(shop).items():
        visitor.go(path)
        found += [f"{name}: axe {line}" for line in visitor.axe()]
        found += [f"{name}: refused {line}" for line in visitor.refusals()]
        if visitor.overflow() > 0:
            found.append(f"{name}: {visitor.overflow()} px too wide")
        if width == "phone":
            visitor.page.set_viewport_size({"width": 320, "height": 700})
            if visitor.overflow() > 0:
                found.append(f"{name}: {visitor.overflow()} px too wide for 320")
            visitor.page.set_viewport_size({"width": 390, "height": 844})
    for name, path in FOREIGN.items():
        visitor.go(path).wait_for_load_state("networkidle")
        found += [f"{name}: refused {line}" for line in visitor.refusals()]
    stranger = visit(width=width, theme=theme)
    for name, path in PUBLIC.items():
        stranger.go(path)
        found += [f"{name}: axe {line}" for line in stranger.axe()]
        found += [f"{name}: refused {line}" for line in stranger.refusals()]
    found += [line for line in visitor.errors + stranger.errors if "404 (Not Found)" not in line]
    assert found == []
