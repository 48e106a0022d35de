"""Templates may only print values; values are never run, and nothing can print without end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import rendering
from campaigns.messaging.links import Signer
from campaigns.messaging.rendering import Compiled, RenderError, TemplateRefused

SIGNER = Signer("secret")
ADDRESSES = {"_click": "https://m.example/c/T/", "_open": "https://m.example/o/T.gif"}


def show(source: str, **values) -> str:
    return Compiled("s", source, "").render(rendering.clean(values)).html


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{% for p in products %}{{ p.name }}: {{ p.price }};{% endfor %}", "Cup: £4.50;Pot: ;"),
        ("{%- for p in products -%}{{- p.price -}};{%- endfor -%}", "£4.50;;"),
        ("{{ products[0].price }}|{{ products.1.price }}|{{products[1].price}}", "£4.50||"),
        ("{% for p in event.products %}{{ p.price }};{% endfor %}", ";"),
        ("{{ event.product.price }}.", "."),
        ("{% for p in products %}{{ p.price|default('ask') }};{% endfor %}", "£4.50;ask;"),
        ("{% for p in products %}{% if p.price %}from {{ p.price }}{% endif %};{% endfor %}",
         "from £4.50;;"),
    ],
)  # fmt: skip
def test_a_product_without_a_price_shows_none_and_stops_no_mail(source, shown):
    goods = [{"name": "Cup", "price": "£4.50"}, {"name": "Pot", "price": ""}]
    happened = {"product": {"name": "Pot"}, "products": [{"name": "Pot", "price": None}]}
    assert show(source, products=goods, event=happened) == shown


@pytest.mark.parametrize(
    "source",
    [
        "{% for p in products %}{{ p.price|round }}{% endfor %}",
        "{% for p in products %}{{ p.price|upper }}{% endfor %}",
        "{% for p in products %}{% if p.price > 5 %}x{% endif %}{% endfor %}",
        '<a href="https://shop.example/{{ products[0].price }}">x</a>',
        "{{ products[3].price }}",
        "{{ p.price }}",
        "{{ event.price }}",
        "{% for p in products %}{{ offer.price }}{% endfor %}",
    ],
)
def test_a_template_that_does_more_with_a_price_than_show_it_needs_one(source):
    signer = Signer("secret")
    with pytest.raises(RenderError):
        Compiled("s", source, "", signer).render(
            {"products": [{"name": "Pot"}], "event": {}, "_open": "", "_click": "", "offer": {}}
        )


# Everything a template language is usually broken out with; each must be refused or printed as is.
ATTACKS = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ first_name.__class__ }}",
    "{{ first_name['__class__'] }}",
    "{{ first_name|attr('__class__') }}",
    "{{ self }}{{ self.__init__ }}",
    "{{ _click }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum() }}",
    "{{ range(10) }}",
    "{{ dict(a=1) }}",
    "{{ namespace() }}",
    "{{ debug() }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 9 ** 9 }}",
    "{{ 1 + 1 }}",
    "{{ 'a' ~ 'b' }}",
    "{{ first_name() }}",
    "{{ first_name.upper() }}",
    "{{ [1, 2, 3] }}",
    "{{ {'a': 1} }}",
    "{{ first_name[1:2] }}",
    "{{ first_name[last_name] }}",
    "{{ -1 }}",
    "{{ first_name|safe }}",
    "{{ first_name|tojson }}",
    "{{ first_name|replace('a', 'aaaa') }}",
    "{{ first_name|format('x') }}",
    "{{ first_name|map('upper') }}",
    "{{ first_name|_tail }}",
    "{{ 5 is sameas 5 }}",
    "{% set a = 1 %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block a %}{% endblock %}",
    "{% macro a() %}{% endmacro %}",
    "{% call a() %}{% endcall %}",
    "{% filter upper %}a{% endfilter %}",
    "{% with a = 1 %}{% endwith %}",
    "{% autoescape false %}{% endautoescape %}",
    "{% do x %}",
    "{% for a in 'abc' %}{% endfor %}",
    "{% for a in [1] %}{% endfor %}",
    "{% for a, b in products %}{% endfor %}",
    "{% for a in products recursive %}{% endfor %}",
    "{% for a in products %}{{ loop.cycle('a') }}{% endfor %}",
    "{% for _a in products %}{{ _a }}{% endfor %}",
    "{% if %}{% endif %}",
    "{{ }}",
    "{{ first_name",
    "{% raw %}{{ first_name }}",
]


@pytest.mark.parametrize("source", ATTACKS)
@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_nothing_outside_the_small_language_is_accepted_in_any_part(source, part):
    parts = {"subject": "s", "html": "h", "text": "t", part: source}
    with pytest.raises(TemplateRefused):
        Compiled(**parts)


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


def test_what_a_template_asks_for_is_known_before_it_runs():
    source = "{{ a }}{% for p in products %}{{ p.name }}{{ loop.index }}{{ t.x }}{% endfor %}"
    assert rendering.variables(source) == {"a", "products", "t.x"}


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


def test_loops_inside_loops_are_stopped_before_they_run():
    deep = "{% for a in products %}" * 4 + "x" + "{% endfor %}" * 4
    with pytest.raises(TemplateRefused, match="nested"):
        Compiled("s", deep, "t")
    wide = "{% for a in p %}{% for b in p %}{% for c in p %}" + "x" * 2_000 + "{% endfor %}" * 3
    with pytest.raises(TemplateRefused, match="too much"):
        Compiled("s", wide, "t")


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
    return template.render({**rendering.clean(values), **ADDRESSES}).html


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


def test_the_pieces_of_a_mail_are_its_html_and_spaces_are_trimmed_as_ever():
    words = "the same words in every mail, and quite a lot of them"
    source = (
        f"<p>{words} 1</p>  {{%- for p in products -%}}  {words} 2 {{{{ p.name }}}} {words} 2\n"
        f"{{%- endfor %}}\n {words} 3 {{{{- first_name }}}}.<p> {words} 4"
    )
    values = {"first_name": "Ada", "products": [{"name": "Cup"}, {"name": "Pot"}]}
    mail = Compiled("s", source, "", SIGNER).render({**values, **ADDRESSES})
    assert "".join(mail.pieces) == mail.html
    assert mail.html.rpartition("<img")[0] == show(source, **values)
    assert mail.pieces.count(f"{words} 2") == 4
