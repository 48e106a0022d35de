"""MJML becomes HTML and text when it is saved, with the template's expressions kept whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import layout
from campaigns.messaging.layout import LayoutRefused


def mjml(body: str) -> str:
    return f"<mjml><mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>"


def test_expressions_survive_quotes_comparison_signs_and_attributes():
    html = layout.compile_mjml(
        mjml(
            '<mj-text>{{ first_name|default("you") }}</mj-text>'
            "<mj-text>{% if orders > 3 and orders < 9 %}x{% endif %}</mj-text>"
            '<mj-button href="https://a.example/{{ sku|default("x") }}">Go</mj-button>'
        )
    )
    assert '{{ first_name|default("you") }}' in html
    assert "{% if orders > 3 and orders < 9 %}x{% endif %}" in html
    assert 'href="https://a.example/{{ sku|default("x") }}"' in html


def test_the_preview_line_stands_hidden_at_the_top_and_is_escaped():
    html = layout.compile_mjml(mjml("<mj-text>x</mj-text>"), preheader="{{ a }} & <b> more")
    assert "{{ a }} &amp; &lt;b&gt; more" in html
    assert "more" not in layout.text_from(html)


def test_no_font_or_other_file_is_fetched_from_anywhere():
    html = layout.compile_mjml(mjml("<mj-text>x</mj-text>"))
    assert "googleapis" not in html
    assert "@import" not in html


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "MJML"),
        ("hello", "MJML"),
        ("<mjml>", "MJML"),
        ("<mjml><mj-body><mj-foo/></mj-body></mjml>", "mj-foo"),
        (mjml("<mj-text>a<b></mj-text>"), "MJML"),
        ('<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>', "mj-include"),
        (mjml('<mj-text not-there="{{ lost }}">x</mj-text>'), "drops text"),
        (mjml("<mj-text>pnq0001qnp</mj-text>"), "reserved"),
        (mjml(f"<mj-text>{'x' * 200_001}</mj-text>"), "longer than"),
    ],
)
def test_a_layout_that_cannot_become_a_mail_is_refused_with_a_reason(source, why):
    with pytest.raises(LayoutRefused, match=why):
        layout.compile_mjml(source)


def test_the_product_block_lists_as_many_as_asked_under_its_title():
    source = (
        '<mjml><mj-body><mj-products count="2" title="For {{ first_name }}" /></mj-body></mjml>'
    )
    html = layout.compile_mjml(source)
    assert "{% if loop.index <= 2 %}" in html
    assert "For {{ first_name }}" in html
    assert "{{ product.name }}" in html
    assert html.count("{% if products %}") == 1


def test_the_text_reads_like_the_mail_and_names_each_link():
    text = layout.text_from(
        "<html><head><title>no</title><style>no</style></head><body><h1>Hello {{ name }}</h1>"
        '<p>See <a href="https://a.example/?x=1&amp;y=2">this</a><br>and<img alt="a teapot"></p>'
        '<div style="display:none">hidden</div><span aria-hidden="true">W</span>'
        "<ul><li>one</li><li>two</li></ul>"
        '<a href="#top">up</a></body></html>'
    )
    assert text == (
        "Hello {{ name }}\n\nSee this (https://a.example/?x=1&y=2)\nanda teapot\n\n"
        "- one\n- two\nup\n"
    )


@given(st.text(alphabet="ab{}%# \n\"'<>|", max_size=80))
def test_setting_expressions_aside_and_back_changes_nothing_else(text):
    held, kept = layout.hold(text)
    import re

    assert layout.release(held, kept) == re.sub(
        r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}",
        lambda m: "" if m[0].startswith("{#") else m[0],
        text,
        flags=re.DOTALL,
    )
