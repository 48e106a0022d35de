"""Numbers, money, time and small drawings read as people expect."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from marketing.core import navigation, wording
from marketing.core.templatetags import ui

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def render(text: str, **values: object) -> str:
    return Template("{% load ui %}" + text).render(Context(values))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(541909, "541,909"), (0, "0"), (Decimal("1234.6"), "1,235"), (None, "–"), ("x", "–")],
)
def test_whole_numbers_have_thousands_marked(value: object, expected: str) -> None:
    assert wording.comma(value) == expected


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (Decimal("8187806.36"), "GBP", "£8,187,806.36"),
        (Decimal("-4.5"), "EUR", "−€4.50"),
        (Decimal("12345678901234567.89"), "USD", "$12,345,678,901,234,567.89"),
        (12, "CHF", "CHF 12.00"),
        (12, None, "12.00"),
        (Decimal("-0.00"), "GBP", "£0.00"),
        (None, "GBP", "–"),
        (float("nan"), "GBP", "–"),
    ],
)
def test_money_keeps_every_cent_and_its_currency(
    value: object, currency: str | None, expected: str
) -> None:
    assert wording.money(value, currency) == expected


@given(st.decimals(min_value=0, max_value=10**14, places=2))
def test_money_never_loses_a_cent(amount: Decimal) -> None:
    shown = wording.money(amount, "GBP")
    assert Decimal(shown.removeprefix("£").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("value", "digits", "expected"), [(0.1234, 1, "12.3%"), (1, 0, "100%"), (None, 1, "–")]
)
def test_shares_are_shown_in_percent(value: object, digits: int, expected: str) -> None:
    assert wording.pct(value, digits) == expected


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats())
def test_a_bar_never_leaves_its_track(part: float, whole: float) -> None:
    assert 0 <= wording.of(part, whole) <= 100


@pytest.mark.parametrize(
    ("value", "expected"), [(950, "950"), (1200, "1.2k"), (2_000_000, "2M"), (3.1e9, "3.1B")]
)
def test_numbers_in_little_room_are_shortened(value: float, expected: str) -> None:
    assert wording.short(value) == expected


def test_decimals_that_say_nothing_are_left_out() -> None:
    assert wording.trimmed(56.0, 1) == "56"
    assert wording.trimmed(22.7, 1) == "22.7"
    assert wording.trimmed(1200, 0) == "1,200"
    assert wording.trimmed(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(4, "4 s"), (125, "2 min 05 s"), (4320, "1 h 12 min"), (None, "–")],
)
def test_lengths_of_time_are_said_in_two_units_at_most(seconds: object, expected: str) -> None:
    assert wording.duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(3, "5 s left"), (42, "45 s left"), (130, "about 2 min left")]
)
def test_time_left_is_a_rounded_promise(seconds: int, expected: str) -> None:
    assert wording.time_left(seconds) == expected


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (timedelta(seconds=9), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=6), "6 days ago"),
        (timedelta(days=40), "13 Oct 2026"),
    ],
)
def test_how_long_ago(back: timedelta, expected: str) -> None:
    assert wording.ago(NOON - back, NOON) == expected


def test_days_are_shown_in_the_readers_time_zone() -> None:
    late = datetime(2011, 12, 9, 23, 30, tzinfo=UTC)
    with timezone.override("Asia/Shanghai"):
        assert wording.day(late) == "10 Dec 2011"
        assert wording.moment(late) == "10 Dec 2011, 07:30"


def test_an_icon_is_hidden_from_readers_and_names_the_sprite() -> None:
    html = render('{% icon "home" "icon-sm" %}')
    assert 'class="icon icon-sm"' in html
    assert 'aria-hidden="true"' in html
    assert "icons.svg" in html
    assert html.endswith('#home"/></svg>')


def test_a_sparkline_spans_its_box_and_two_values_are_the_least() -> None:
    html = render("{% spark values 100 30 %}", values=[1, 5, 3])
    assert 'points="2.0,28.0 50.0,2.0 98.0,15.0"' in html
    assert "polyline" not in render("{% spark values %}", values=[1])


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=50))
def test_a_sparkline_of_anything_stays_in_its_box(values: list[int]) -> None:
    for x, y in ui._points(values, 96, 28):
        assert 2 <= x <= 94
        assert 2 <= y <= 26


def test_a_funnel_needs_stages() -> None:
    assert render("{% funnel_shape stages %}", stages=[]) == ""
    assert "<path" in render("{% funnel_shape stages %}", stages=[{"n": 9}, {"n": 3}])


def test_names_are_escaped_in_drawings() -> None:
    assert "<b>" not in render("{% icon name %}", name="<b>")


def test_initials_come_from_a_name_or_an_address() -> None:
    assert wording.initials("Ada Byron Lovelace") == "AB"
    assert wording.initials("ada@example.com") == "AE"
    assert wording.initials("") == "?"


def test_a_link_changes_one_value_of_the_address() -> None:
    request = RequestFactory().get("/people/?q=ada&page=3")
    text = Template("{% load ui %}{% query page=4 q=None %}").render(Context({"request": request}))
    assert text == "?page=4"


def test_the_navigation_marks_the_deepest_fitting_link() -> None:
    links = [link for group in navigation.groups(path="/jobs/abc/") for link in group.links]
    assert [link.name for link in links if link.current] == ["core:job-list"]
    home = [link for group in navigation.groups(path="/") for link in group.links]
    assert [link.name for link in home if link.current] == ["home"]
    assert all(link.url for link in links)


def test_every_shortcut_is_used_once() -> None:
    keys = [link.key for group in navigation.GROUPS for link in group.links]
    assert len(keys) == len(set(keys))


def test_only_what_somebody_may_do_is_offered_to_create() -> None:
    assert navigation.creations(rights={"edit": False, "data": False, "keys": False}) == []
    names = [link.name for link in navigation.creations(rights={"keys": True})]
    assert names == ["core:keys"]


def test_dates_follow_the_language() -> None:
    with translation.override("zh-hans"):
        assert "2011" in wording.day(datetime(2011, 12, 9, tzinfo=UTC))


def test_a_stored_title_is_told_whole_or_by_its_two_halves_in_the_readers_language() -> None:
    with translation.override("zh-hans"):
        assert wording.in_words("Will buy within 90 days") == "将在 90 天内购买"
        assert wording.in_words("Train: Will buy within 90 days") == "训练：将在 90 天内购买"
        assert wording.in_words("Train: My own question") == "训练：My own question"
        assert wording.in_words("Ours: nobody knows it") == "Ours: nobody knows it"
