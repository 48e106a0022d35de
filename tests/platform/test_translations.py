"""The shipped Chinese catalogue covers what the platform says."""

import ast
import gettext
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("marketing", "ingestion", "models_ml", "recommendations", "campaigns")
# What takes a text, and which of its arguments the text is.
CALLS = {"_": 0, "gettext": 0, "gettext_lazy": 0, "gettext_noop": 0, "ngettext": 0}
CALLS |= {"pgettext": 1, "pgettext_lazy": 1}
TAG = re.compile(r"""\{%\s*translate\s+(?:"([^"]*)"|'([^']*)')""")


def _read() -> dict[object, str]:
    with (ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.mo").open("rb") as file:
        return dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def catalogue() -> dict[str, str]:
    """Text → translation; a plural stands under its singular, a text with a context without it."""
    texts = {str(key[0] if isinstance(key, tuple) else key): text for key, text in _read().items()}
    return {key.rpartition("\x04")[2]: text for key, text in texts.items()} | texts


def said() -> set[str]:
    """Every text of the templates and of the code."""
    texts: set[str] = set()
    for path in (ROOT / "templates").rglob("*.html"):
        texts |= {a or b for a, b in TAG.findall(path.read_text())}
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            if "migrations" not in path.parts:
                texts |= _spoken(ast.parse(path.read_text()))
    return texts


def _spoken(tree: ast.AST) -> set[str]:
    return {
        text.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in CALLS
        and len(call.args) > CALLS[call.func.id]
        and isinstance(text := call.args[CALLS[call.func.id]], ast.Constant)
        and isinstance(text.value, str)
    }


def test_nearly_every_text_is_translated(catalogue: dict[str, str]) -> None:
    """A new sentence may wait for the next round of translation; one in forty, not more."""
    texts = {text for text in said() if text}
    missing = {
        text for text in texts if text not in catalogue and text.replace("%", "%%") not in catalogue
    }
    assert len(missing) <= len(texts) / 40, sorted(missing)


def test_no_text_hides_behind_a_name_that_the_collector_does_not_know() -> None:
    """makemessages reads `_` and the full names, nothing else."""
    other = re.compile(r"translation import \w*gettext\w* as (?!_$)\w+", re.M)
    hidden = [
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in (ROOT / part).rglob("*.py")
        if other.search(path.read_text())
    ]
    assert hidden == []


def test_translations_keep_every_placeholder() -> None:
    places = re.compile(r"%\((\w+)\)|\{\{ ?(\w+)")
    wrong = {
        text: translated
        for text, translated in _read().items()
        if isinstance(text, str)
        and {a or b for a, b in places.findall(translated)}
        - {a or b for a, b in places.findall(text)}
    }
    assert wrong == {}


def test_words_of_the_trade_are_the_agreed_ones(catalogue: dict[str, str]) -> None:
    assert catalogue["Campaigns"] == "营销活动"
    assert catalogue["Segments"] == "人群"
    assert catalogue["People"] == "用户"
    assert catalogue["Lift"] == "提升"
    assert catalogue["Held out"] == "对照组"
    assert catalogue["Suppression list"] == "屏蔽名单"
    assert catalogue["Placements"] == "推荐位"
    assert catalogue["ads\x04Placements"] == "广告位"


def test_chinese_is_written_with_its_own_signs() -> None:
    """Commas and colons between Chinese letters are the wide ones."""
    narrow = re.compile(r"[一-鿿][,;:!?(]|[,;!?)][一-鿿]")
    wrong = {
        text: said
        for text, said in _read().items()
        if text != "yes,no,never asked"
        and narrow.search(re.sub(r"%\(\w+\)s?|\{\{.*?\}\}", "", said))
    }
    assert wrong == {}
