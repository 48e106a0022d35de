"""What has no place in a mail is refused; its links are tracked, each with what it leads to."""

import pytest

from campaigns.messaging.grammar import TemplateRefused
from campaigns.messaging.links import Signer
from campaigns.messaging.rendering import Compiled, RenderError, clean

SIGNER = Signer("secret")
ADDRESSES = {"_click": "https://m.example/c/T/", "_open": "https://m.example/o/T.gif"}


@pytest.mark.parametrize(
    ("html", "why"),
    [
        ("<script>x</script>", "script"),
        ("<IFRAME src=x>", "iframe"),
        ("<object data=x>", "object"),
        ("<form action=x>", "form"),
        ("<base href='https://a.example'>", "base"),
        ("<p onclick='x'>", "handlers"),
        ('<img src="x" onerror="y">', "handlers"),
        ('<a href="javascript:alert(1)">x</a>', "javascript"),
        ('<a href="java&#10;script:alert(1)">x</a>', "javascript"),
        ('<a href=" &#1;javascript:alert(1)">x</a>', "javascript"),
        ('<a href="data:text/html,x">x</a>', "data"),
        ('<img src="vbscript:x">', "vbscript"),
        ('<a href="/relative">x</a>', "web address"),
        ('<a href="">x</a>', "no address"),
        ("<a href=https://a.example>x</a>", "quotes"),
        ('<a href="{% if a %}https://a.example{% endif %}">x</a>', "no conditions"),
        ('<a href="ftp:{{ a }}">x</a>', "ftp"),
        ('<a href="https://user@evil.example/">x</a>', "web address"),
    ],
)
def test_what_has_no_place_in_a_mail_is_refused(html, why):
    with pytest.raises(TemplateRefused, match=why):
        Compiled("s", html, "t")


def linked(html: str, **values) -> str:
    template = Compiled("s", html, "t", SIGNER)
    return template.render({**clean(values), **ADDRESSES}).html


def test_web_links_are_tracked_and_everything_else_is_left_alone():
    html = linked(
        '<a class="x" href="https://a.example/?b=1&amp;c=2">1</a><a href="mailto:a@b.example">2</a>'
        '<a href="tel:+44">3</a><a href="#top">4</a><a href="{{ unsubscribe_url }}">5</a>',
        unsubscribe_url="https://m.example/u/T",
    )
    tail = SIGNER.tail("https://a.example/?b=1&c=2")
    plain = html.replace("&#x2f;", "/")
    assert f'<a class="x" href="https://m.example/c/T/{tail}">1</a>' in plain
    assert '<a href="mailto:a@b.example">2</a><a href="tel:+44">3</a><a href="#top">4</a>' in html
    assert '<a href="https://m.example/u/T">5</a>' in plain
    assert html.count("/o/T.gif") == plain.count("/o/T.gif") == 1 or "&#x2f;o&#x2f;T.gif" in html


def test_a_link_made_of_values_is_signed_with_the_values_in_it():
    html = linked(
        "<a href='https://a.example/{{ sku }}?n={{ n|default(\"-\") }}'>x</a>", sku="A&B", n=""
    )
    assert SIGNER.tail("https://a.example/A&B?n=-") in html


def test_a_thousand_links_are_all_tracked():
    html = linked("".join(f'<a href="https://a.example/{n}">x</a>' for n in range(1_000)))
    assert all(SIGNER.tail(f"https://a.example/{n}") in html for n in (0, 500, 999))
    assert 'href="https://a.example' not in html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "nonsense", ""])
def test_a_product_whose_address_is_not_one_fails_the_mail_rather_than_being_linked(url):
    with pytest.raises(RenderError):
        linked('<a href="{{ product.url }}">x</a>', product={"url": url})
