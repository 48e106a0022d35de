"""Secrets are sealed for one row, survive a change of SECRET_KEY, and never show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing.core import vault

OLD = "an-old-secret-key-that-is-long-enough-to-be-accepted-000001"
NEW = "a-new-secret-key-that-is-long-enough-to-be-accepted--000002"


@given(text=st.text(max_size=300), row=st.text(max_size=60))
def test_whatever_is_sealed_opens_again_in_its_row(text: str, row: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert vault.unseal(sealed=vault.seal(text=text, row=row), row=row) == text


def test_the_same_secret_never_looks_the_same_twice() -> None:
    sealed = {vault.seal(text="hunter2-hunter2", row="connector:1") for _ in range(50)}
    assert len(sealed) == 50
    assert not any("hunter2" in text for text in sealed)


def test_a_secret_copied_to_another_row_does_not_open_there() -> None:
    sealed = vault.seal(text="hunter2-hunter2", row="connector:1:password")
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed=sealed, row="connector:2:password")


@pytest.mark.parametrize("place", range(12, 60, 7))
def test_a_changed_character_is_noticed(place: int) -> None:
    sealed = vault.seal(text="hunter2-hunter2-hunter2", row="r")
    other = "A" if sealed[place] != "A" else "B"
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed=sealed[:place] + other + sealed[place + 1 :], row="r")


@pytest.mark.parametrize("text", ["", "v1", "v1.x.y", "v2.00000000.AAAA", "v1.00000000.!!!!", "…"])
def test_what_is_no_sealed_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(vault.Unreadable, match="cannot be opened"):
        vault.unseal(sealed=text, row="r")


def test_a_key_put_among_the_fallbacks_still_opens_and_renewing_makes_it_needless(settings) -> None:  # type: ignore[no-untyped-def]
    settings.SECRET_KEY = OLD
    sealed = vault.seal(text="hunter2-hunter2", row="r")
    settings.SECRET_KEY = NEW
    with pytest.raises(vault.Unreadable, match="SECRET_KEY_FALLBACKS"):
        vault.unseal(sealed=sealed, row="r")
    settings.SECRET_KEY_FALLBACKS = [OLD]
    assert not vault.is_current(sealed)
    renewed = vault.renew(sealed=sealed, row="r")
    settings.SECRET_KEY_FALLBACKS = []
    assert vault.is_current(renewed)
    assert vault.unseal(sealed=renewed, row="r") == "hunter2-hunter2"


def test_only_the_ending_of_a_long_secret_is_ever_shown() -> None:
    def ending(text: str) -> str:
        return vault.ending(sealed=vault.seal(text=text, row="r"), row="r")

    assert ending("sk_live_0123456789abcd") == "abcd"
    assert ending("short") == ""
    assert vault.ending(sealed="v1.gone.AAAA", row="r") == ""


def test_a_message_that_a_library_made_is_cleared_of_secrets() -> None:
    text = vault.redact("login root:hunter22 at hunter2 failed", ["hunter2", "hunter22", ""])
    assert text == "login root:•••• at •••• failed"
