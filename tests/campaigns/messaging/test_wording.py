"""What is wrong with a message is said in the reader's language, and never in English alone."""

import ast
from pathlib import Path

import pytest
from django.utils import translation

from campaigns.messaging import faults, links, parts, rendering, wording

ROOT = Path(faults.__file__).parent
REFUSALS = {"TemplateRefused", "RenderError", "LinkRefused", "LayoutRefused", "HeaderRefused"}


def test_a_fault_and_the_words_in_it_are_said_in_the_readers_language() -> None:
    fault = faults.Fault("Text", what=faults.Word("Title"))
    with translation.override("zh-hans"):
        assert wording.said(fault) == translation.gettext("Text") != "Text"
    with translation.override("zh-hans"):
        named = faults.Fault("%(what)s: %(name)s", what=faults.Word("Title"), name="Title")
        assert wording.said(named) == f"{translation.gettext('Title')}: Title"


def test_in_english_it_says_what_it_always_said() -> None:
    with pytest.raises(rendering.RenderError) as raised:
        parts.Compiled("sms", {"text": "Hello {{ first_name }}"}).render({})
    assert str(raised.value) == wording.said(raised.value) == "first_name is missing"
    assert raised.value.variable == "first_name"
    with pytest.raises(rendering.TemplateRefused) as refused:
        parts.Compiled("push", {"title": " ", "body": "x"})
    assert wording.said(refused.value) == "the title is empty"
    with pytest.raises(links.LinkRefused, match="javascript:alert is not a web address"):
        links.check_target("javascript:alert")


def test_a_sign_for_per_cent_in_what_somebody_wrote_stays_as_it_is() -> None:
    with pytest.raises(rendering.TemplateRefused) as refused:
        rendering.check_html('<p><a href="100%s-off">x</a></p>')
    assert "100%s-off" in wording.said(refused.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=lambda path: path.stem)
def test_no_refusal_is_written_without_a_text_to_translate(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        name = getattr(node.exc.func, "attr", getattr(node.exc.func, "id", ""))
        if name not in REFUSALS:
            continue
        first = node.exc.args[0]
        marked = isinstance(first, ast.Call) and getattr(first.func, "id", "") == "gettext_noop"
        passed_on = isinstance(first, ast.Attribute) and first.attr == "template"
        foreign = isinstance(first, ast.Constant) and first.value == "%(why)s"
        assert marked or passed_on or foreign, f"{path.name}:{node.lineno}"
