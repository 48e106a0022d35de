"""A mail of blocks becomes MJML and a mail; what is written in a block is never markup."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import content
from campaigns.content import blocks
from campaigns.messaging import layout, rendering
from campaigns.models import Template
from marketing.core.errors import Invalid
from tests import factories

CUP = {"name": "Cup", "price": "£2", "reason": "", "url": "", "initial": "C", "colour": "#fff"}
FOOTER = {"kind": "footer"}


def save(*written, **values) -> Template:
    given = {"name": "News", "subject": "Hello", "written_in": "blocks", "blocks": list(written)}
    return content.save(**{**given, **values}, user=None, now=factories.NOW)


def html_of(*written) -> str:
    made = blocks.compile_blocks(blocks.read(list(written)))
    return layout.compile_mjml(made)


def test_blocks_are_completed_with_what_was_left_out_and_get_names_of_their_own():
    found = blocks.read([{"kind": "spacer", "id": "b1"}, {"kind": "divider", "id": "b1"}])
    assert found == [
        {"id": "b1", "kind": "spacer", "height": 24, "tone": "white"},
        {"id": "b2", "kind": "divider", "tone": "white"},
    ]
    assert blocks.read(found) == found


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({"kind": "marquee"}, "Block 1: There is no such kind"),
        ("text", "Block 1: There is no such kind"),
        ({"kind": "spacer", "height": 900}, "between 4 and 200"),
        ({"kind": "spacer", "height": True}, "between 4 and 200"),
        ({"kind": "heading", "size": "huge"}, "choose one of them"),
        ({"kind": "heading", "text": "x" * 301}, "at most 300"),
        ({"kind": "columns", "columns": [{}]}, "Two or three columns"),
        ({"kind": "columns", "columns": [{}, 7]}, "cannot be read"),
    ],
)
def test_a_block_that_cannot_be_is_refused_by_its_place(block, why):
    with pytest.raises(Invalid, match=why) as raised:
        blocks.read([block])
    assert raised.value.field == "blocks"


@pytest.mark.django_db
def test_a_mail_of_every_kind_of_block_is_compiled_and_keeps_its_blocks():
    template = save(
        {"kind": "logo"},
        {"kind": "heading", "text": 'For {{ first_name|default("you & yours") }} <3'},
        {"kind": "text", "text": "**Bold** and *slanted*, [new](https://shop.example/n)\n\nTwo"},
        {"kind": "button", "label": "Look", "url": "https://shop.example/look?a=1&b=2"},
        {"kind": "image", "src": "https://shop.example/cup.png", "alt": 'A "blue" cup'},
        {"kind": "products", "count": 3, "title": "Yours", "instead": "Nothing yet."},
        {"kind": "offer", "instead": "No offer today."},
        {"kind": "columns", "columns": [{"heading": "Left"}, {"text": "Right", "label": "Go",
                                                               "url": "{{ shop_url }}"}]},
        {"kind": "divider"},
        {"kind": "spacer"},
        {"kind": "html", "source": "<p>One<br>two <b>three</p>"},
        FOOTER,
    )  # fmt: skip
    assert [block["kind"] for block in template.blocks] == [kind.name for kind in _in_order()]
    compiled = rendering.Compiled(template.subject, template.html, template.text)
    values = {"shop_name": "Alder", "shop_url": "https://s.example", "unsubscribe_url": "u",
              "offer": {}}  # fmt: skip
    mail = compiled.render({**values, "products": []})
    assert "For you &amp; yours &lt;3" in mail.html.replace("&#x2f;", "/")
    assert "<b>Bold</b> and <i>slanted</i>" in mail.html
    assert "<p>One<br>two <b>three</p>" in mail.html
    assert 'href="https://shop.example/look?a=1&amp;b=2"' in mail.html
    assert "Nothing yet." in mail.html
    assert "Yours" not in mail.html
    shown = compiled.render({**values, "products": [CUP]})
    assert "Nothing yet." not in shown.html
    assert "Yours" in shown.html
    assert "Nothing yet." in mail.text
    assert "#a4451f" in mail.html
    assert "<img" not in mail.html.partition("For you")[0]
    house = {"brand_colour": "#1b4d3e", "logo_url": "https://p.example/brand/1.png",
             "logo_width": 180, "logo_height": 40,
             "postal_address": "1 Mill Lane, Otley"}  # fmt: skip
    dressed = compiled.render({**values, **house, "products": []})
    assert '<img src="https://p.example/brand/1.png" width="180" height="40"' in (
        dressed.html.replace("&#x2f;", "/")
    )
    assert "#a4451f" not in dressed.html
    assert "background:#1b4d3e" in dressed.html
    assert "1 Mill Lane, Otley" in dressed.text


def _in_order():
    names = ["logo", "heading", "text", "button", "image", "products", "offer", "columns",
             "divider", "spacer", "html", "footer"]  # fmt: skip
    return [blocks.BY_NAME[name] for name in names]


@pytest.mark.django_db
def test_a_mail_of_blocks_without_a_footer_is_refused_with_what_to_do():
    with pytest.raises(Invalid, match="no unsubscribe link") as raised:
        save({"kind": "text"})
    assert (raised.value.field, raised.value.remedy) == ("blocks", "Add a footer block.")
    assert not Template.objects.exists()


@pytest.mark.django_db
def test_what_a_block_begins_with_makes_a_mail():
    assert "{{ unsubscribe_url }}" in save(*blocks.starter()).html


@pytest.mark.django_db
def test_changing_the_mjml_of_blocks_by_hand_goes_on_in_mjml_and_leaving_it_keeps_them():
    template = save({"kind": "text", "text": "Hello"}, FOOTER)
    same = content.save(
        template_id=template.pk, name="Renamed", subject="Hi", mjml=template.mjml, user=None,
        now=factories.NOW,
    )  # fmt: skip
    assert (same.written_in, same.blocks) == ("blocks", template.blocks)
    by_hand = content.save(
        template_id=template.pk, name="News", subject="Hi", user=None, now=factories.NOW,
        mjml=template.mjml.replace("Hello", "Good day"),
    )  # fmt: skip
    assert (by_hand.written_in, by_hand.blocks) == ("mjml", [])
    assert "Good day" in by_hand.html


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=string.printable, max_size=80))
def test_whatever_is_written_in_a_text_block_stands_in_the_mail_as_text(text):
    words = text.replace("{", "(").replace("}", ")").replace("[", "(")
    html = html_of({"kind": "text", "text": f"begin {words} end"}, FOOTER)
    assert "<script" not in html.lower()
    rendering.check_html(html)
