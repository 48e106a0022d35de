"""Templates may only print values: nothing outside a small language, nothing without end."""

import pytest
from jinja2.defaults import DEFAULT_FILTERS, DEFAULT_NAMESPACE, DEFAULT_TESTS

from campaigns.messaging import grammar
from campaigns.messaging.grammar import TemplateRefused
from campaigns.messaging.links import Signer
from campaigns.messaging.rendering import Compiled, RenderError, clean


def show(source: str, **values) -> str:
    return Compiled("s", source, "").render(clean(values)).html


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


def test_no_filter_test_or_function_of_the_language_it_is_taken_from_is_there_unasked():
    told = [f"{{{{ a|{name} }}}}" for name in DEFAULT_FILTERS.keys() - grammar.FILTERS]
    told += [f"{{{{ a is {name} }}}}" for name in DEFAULT_TESTS.keys() - grammar.TESTS]
    told += [f"{{{{ {name}() }}}}" for name in DEFAULT_NAMESPACE]
    assert len(told) > 60
    for source in told:
        with pytest.raises(TemplateRefused):
            grammar.variables(source)


def test_what_a_template_asks_for_is_known_before_it_runs():
    source = "{{ a }}{% for p in products %}{{ p.name }}{{ loop.index }}{{ t.x }}{% endfor %}"
    assert grammar.variables(source) == {"a", "products", "t.x"}


def test_loops_inside_loops_are_stopped_before_they_run():
    deep = "{% for a in products %}" * 4 + "x" + "{% endfor %}" * 4
    with pytest.raises(TemplateRefused, match="nested"):
        Compiled("s", deep, "t")
    wide = "{% for a in p %}{% for b in p %}{% for c in p %}" + "x" * 2_000 + "{% endfor %}" * 3
    with pytest.raises(TemplateRefused, match="too much"):
        Compiled("s", wide, "t")
