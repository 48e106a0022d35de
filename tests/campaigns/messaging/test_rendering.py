"""Values are only ever printed; what is missing, endless or broken is an error and not a mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import rendering
from campaigns.messaging.rendering import Compiled, RenderError, TemplateRefused
from tests.campaigns.messaging.test_grammar import ATTACKS, show


@pytest.mark.parametrize("value", [*ATTACKS, "<script>alert(1)</script>", "{{7*7}}", "{% raw %}"])
def test_a_value_that_looks_like_code_is_printed_as_text(value):
    mail = Compiled("{{ first_name }}", "<p>{{ first_name }}</p>", "{{ first_name }}").render(
        rendering.clean({"first_name": value})
    )
    assert mail.text == value
    assert mail.subject == value.strip()
    assert "<script" not in mail.html


@given(st.text(max_size=50))
def test_html_in_a_value_is_always_escaped(value):
    html = show("<p>{{ v|default('') }}</p>", v=value)
    inner = html[3:-4]
    assert "<" not in inner
    assert ">" not in inner
    assert '"' not in inner


def test_a_missing_value_is_named_unless_the_template_says_what_to_say_instead():
    assert show('{{ first_name|default("you") }}', first_name="") == "you"
    assert show("{% if first_name %}a{% else %}b{% endif %}") == "b"
    with pytest.raises(RenderError, match="first_name is missing") as raised:
        show("{{ first_name }}", first_name=None)
    assert (raised.value.variable, raised.value.part) == ("first_name", "html")
    with pytest.raises(RenderError) as raised:
        show("{% for p in products %}{{ p.url }}{% endfor %}", products=[{"name": "x"}])
    assert raised.value.variable == "p.url"
    with pytest.raises(RenderError) as raised:
        Compiled("{{ a.b }}", "h", "t").render({"a": {}})
    assert (raised.value.variable, raised.value.part) == ("a.b", "subject")


@pytest.mark.parametrize("value", ["a\nb", "a\r\nBcc: x@example.com", "a\x00b"])
def test_a_subject_never_holds_a_line_break(value):
    with pytest.raises(RenderError, match="line break"):
        Compiled("{{ v }}", "h", "t").render({"v": value})
    if "\x00" not in value:
        with pytest.raises(TemplateRefused, match="one line"):
            Compiled(value, "h", "t")


def test_an_empty_or_endless_subject_is_an_error_not_a_mail():
    with pytest.raises(RenderError, match="empty"):
        Compiled("{% if a %}x{% endif %}", "h", "t").render({})
    with pytest.raises(RenderError, match="longer"):
        Compiled("{{ v }}", "h", "t").render({"v": "x" * 501})


def test_a_bomb_that_prints_nothing_runs_out_of_fuel():
    loops = "{% for a in p %}{% for b in p %}{% for c in p %}"
    idle = "{% if a == b and b == c and a|upper == c|lower %}x{% endif %}"
    template = Compiled("s", loops + idle + "{% endfor %}" * 3, "t")
    with pytest.raises(RenderError, match="too many steps"):
        template.render(rendering.clean({"p": ["x" * 500] * 1_000}))


def test_values_are_cut_to_a_length_and_lists_to_a_number():
    kept = rendering.clean({"a": "x" * 9_000, "b": [{"c": None, "d": 1}] * 90, "e": "", "f": 0})
    assert len(kept["a"]) == 2_000
    assert kept["b"] == [{"d": 1}] * 24
    assert "e" not in kept
    assert kept["f"] == 0
