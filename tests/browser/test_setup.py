"""Without a browser the tests say what to install; they are never skipped."""

import shutil

import pytest

from tests.browser import conftest


def test_a_missing_browser_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(conftest, "PLACES", ())
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(pytest.UsageError, match="sudo apt-get install -y chromium"):
        conftest.find_chromium()


def test_a_browser_elsewhere_is_named_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", __file__)
    assert conftest.find_chromium() == __file__
