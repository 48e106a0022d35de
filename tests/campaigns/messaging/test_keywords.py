"""A word by SMS means leaving or coming back in whatever language; nothing else does."""

import pytest

from campaigns.messaging import keywords


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop! ", "«Stop.»", "STOPALL", "Unsubscribe", "stop sending me this",
     "Arrêt", "ARRET", "退订", "取消订阅", "ＳＴＯＰ", "Abmelden bitte", "baja", "Стоп", "수신거부",
     "opt out", "OPT-OUT", "cancel", "TD"],
)  # fmt: skip
def test_whoever_wants_no_more_is_understood(text: str) -> None:
    assert keywords.meaning(text) == "stop"


@pytest.mark.parametrize("text", ["START", "unstop", "Subscribe", "订阅", "start."])
def test_whoever_wants_to_hear_again_is_understood(text: str) -> None:
    assert keywords.meaning(text) == "start"


@pytest.mark.parametrize(
    "text",
    ["", "   ", "Thanks!", "cancel my order please", "end of the month?", "starting soon?",
     "The bus stop", "???", "\0"],
)  # fmt: skip
def test_other_words_are_left_alone(text: str) -> None:
    assert keywords.meaning(text) == ""
