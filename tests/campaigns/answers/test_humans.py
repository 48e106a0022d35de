"""Gateways that check mail are told from people by haste, voice and bursts."""

import pytest

from campaigns.answers.humans import LIKELY, Signs, probability

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    "signs",
    [
        Signs("click", 1800, FIREFOX),
        Signs("click", 45, FIREFOX),
        Signs("open", 3600, "Mozilla/5.0 (Windows NT 5.1) GoogleImageProxy"),
        Signs("open", 90, FIREFOX),
        Signs("click", 86_400, FIREFOX, links=2),
    ],
)
def test_a_reader_with_a_browser_who_takes_their_time_is_a_person(signs: Signs) -> None:
    assert probability(signs) > LIKELY


@pytest.mark.parametrize(
    "signs",
    [
        Signs("click", 0.8, FIREFOX),
        Signs("click", 40, "python-requests/2.32"),
        Signs("click", 7200, "Barracuda Sentinel (EE)"),
        Signs("open", 300, "Mozilla/5.0"),
        Signs("open", 30, ""),
        Signs("click", 20, FIREFOX, links=3),
        Signs("open", 1.2, "Mozilla/5.0 (Windows NT 5.1) GoogleImageProxy"),
    ],
)
def test_what_is_hasty_or_says_it_is_a_scanner_or_follows_every_link_is_none(signs: Signs) -> None:
    assert probability(signs) < LIKELY


def test_the_figure_is_the_prior_odds_times_the_ratios_of_the_signs() -> None:
    # 0.85 / 0.15 * 1.5 (after a minute) * 2 (a browser) = 17 to 1.
    assert probability(Signs("click", 61, FIREFOX)) == 0.944
    # 0.6 / 0.4 * 0.01 * 4 = 0.06 to 1.
    assert probability(Signs("open", 1, "GoogleImageProxy")) == 0.057
