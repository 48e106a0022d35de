"""Messages that are not mails say what their author wrote, filled in for one person."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import parts
from campaigns.messaging.links import Signer
from campaigns.messaging.rendering import RenderError, TemplateRefused
from tests.campaigns.messaging.test_grammar import ATTACKS

ADA = {"first_name": "Ada", "orders": 3, "traits": {"r_score": 4.5}}


def said(kind, values=ADA, signer=None, **given_parts):
    return parts.Compiled(kind, given_parts, signer).render(values)


def test_an_sms_is_its_text():
    found = said("sms", text="Hello {{ first_name }}, {{ orders }} orders. Reply STOP to end.")
    assert json.loads(found.body) == {"text": "Hello Ada, 3 orders. Reply STOP to end."}
    assert found.subject == "Hello Ada, 3 orders. Reply STOP to end."


def test_a_push_message_has_title_body_address_and_picture():
    found = said("push", title="For {{ first_name }}", body="New", url="https://shop.example/n")
    assert json.loads(found.body) == {
        "title": "For Ada",
        "body": "New",
        "url": "https://shop.example/n",
    }


def test_the_address_of_a_push_message_is_counted_when_it_is_opened():
    values = {**ADA, "_click": "https://m.example/c/token/"}
    found = said("push", values, Signer("s"), title="x", url="https://shop.example/n")
    assert json.loads(found.body)["url"].startswith("https://m.example/c/token/")


def test_a_webhook_keeps_the_shape_of_its_body_and_numbers_stay_numbers():
    body = """{"who": {"name": "{{ first_name }}"}, "at": 5, "s": "{{ orders }} orders",
        "n": ["{{ orders }}", "{{ traits.r_score }}"]}"""
    found = said("webhook", url="https://crm.example/in", body=body)
    assert json.loads(found.body) == {
        "url": "https://crm.example/in",
        "body": {"who": {"name": "Ada"}, "n": [3, 4.5], "at": 5, "s": "3 orders"},
    }


@pytest.mark.parametrize(
    ("kind", "part"), [("sms", "text"), ("push", "title"), ("inbox", "body"), ("webhook", "url")]
)
def test_no_part_of_another_channel_takes_what_a_mail_may_not_say(kind, part):
    needed = {parts.NEEDED[kind]: "{}" if kind == "webhook" else "x"}
    for source in ATTACKS:
        told = f"https://crm.example/{source}" if part == "url" else source
        with pytest.raises(TemplateRefused):
            parts.Compiled(kind, {**needed, part: told})


def test_no_text_in_the_body_of_a_webhook_takes_it_either():
    for source in ATTACKS:
        with pytest.raises(TemplateRefused):
            parts.Compiled("webhook", {"body": json.dumps({"a": [{"b": source}]})})


@given(st.text(max_size=80))
def test_a_value_never_becomes_structure(text):
    values = {"first_name": text}
    compiled = parts.Compiled("webhook", {"body": '{"a": "{{ first_name }}", "b": 1}'})
    assert json.loads(compiled.render(values).body)["body"] == {"a": text, "b": 1}


@pytest.mark.parametrize(
    ("kind", "given_parts", "why"),
    [
        ("sms", {"text": "  "}, "the text is empty"),
        ("sms", {"text": "{{ a() }}"}, "call is not available"),
        ("sms", {"text": "{% set a = 1 %}"}, "assign is not available"),
        ("push", {"title": "x", "url": "javascript:alert(1)"}, "not a web address"),
        ("push", {"title": "x", "url": "{{ a }}://x{{ b }}"}, "not the beginning"),
        ("webhook", {"body": "[1]"}, "must be a JSON object"),
        ("webhook", {"body": '{"a": {{ first_name }}}'}, "the body is not JSON"),
        ("webhook", {"body": '{"{{ first_name }}": 1}'}, "names in the body"),
        ("fax", {"text": "x"}, "no such kind"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_saved(kind, given_parts, why):
    with pytest.raises(TemplateRefused, match=why):
        parts.Compiled(kind, given_parts)


def test_somebody_without_a_value_gets_nothing_rather_than_a_gap():
    with pytest.raises(RenderError) as missing:
        said("sms", {}, text="Hello {{ first_name }}")
    assert (missing.value.variable, missing.value.part) == ("first_name", "text")
    found = said("sms", {}, text='Hello {{ first_name|default("there") }}')
    assert json.loads(found.body) == {"text": "Hello there"}


def test_an_address_made_of_values_must_still_be_a_web_address():
    with pytest.raises(RenderError, match="not a web address"):
        said("inbox", {"link": "javascript:alert(1)"}, title="x", url="{{ link }}")
    with pytest.raises(RenderError, match="not a web address"):
        said("webhook", {"link": "file:///etc/passwd"}, body="{}", url="{{ link }}")


def test_a_text_that_grows_past_ten_parts_for_somebody_is_not_sent_to_them():
    compiled = parts.Compiled("sms", {"text": "{{ first_name }}"})
    with pytest.raises(RenderError, match="10 parts"):
        compiled.render({"first_name": "你" * 700})
