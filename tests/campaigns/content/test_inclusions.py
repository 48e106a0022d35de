"""Saved blocks in mails of MJML and HTML: a tag in the source, the block in the mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import content
from campaigns.content import history, inclusions, library, references, translations, versions
from campaigns.messaging import layout
from campaigns.models import SavedBlock, Template
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.conftest import campaign, people, started

NOW = factories.NOW
LEAVE = '<a href="{{ unsubscribe_url }}">Leave</a>'
MJML = """<mjml><mj-body>
{% include "offer" %}
<mj-section><mj-column><mj-text>Own words LEAVE</mj-text></mj-column></mj-section>
</mj-body></mjml>""".replace("LEAVE", LEAVE)
HTML = f"""<html><head><title>x</title></head><body><table><tr>
<td>{{%- include 'offer' -%}}</td></tr></table><p>Own   words {LEAVE}</p></body></html>"""


def block(words="Ten percent off", name="Offer", **more) -> SavedBlock:
    blocks = more.pop("blocks", [{"kind": "text", "text": words}])
    return library.save(name=name, blocks=blocks, user=None, now=NOW, **more)


def change(row, words, **more) -> SavedBlock:
    return block(words, name=row.name, block_id=row.pk, **more)


def mail(source=MJML, name="News", **more) -> Template:
    written_in = "mjml" if "<mjml" in source else "html"
    return content.save(
        name=name, subject="Hi", mjml=source, written_in=written_in, user=None, now=NOW, **more
    )


@pytest.mark.django_db
@pytest.mark.parametrize("source", [MJML, HTML])
def test_a_mail_in_mjml_or_html_holds_a_saved_block_and_follows_it(source):
    offer = block()
    assert offer.key == "offer"
    news = mail(source)
    assert "Ten percent off" in news.html
    assert "Ten percent off" in news.text
    assert "include" not in news.html
    assert news.mjml == source
    change(offer, "Twenty percent off")
    news.refresh_from_db()
    assert (news.version, news.html.count("Twenty percent off")) == (2, 1)
    assert "Ten percent" not in news.html + news.text
    assert news.mjml == source
    assert history.of(news)[0].said["because"] == "Offer"


@pytest.mark.django_db
def test_html_around_a_block_stays_as_it_was_written():
    block(blocks=[{"kind": "columns", "columns": [{"heading": "One"}, {"heading": "Two"}]}])
    made = mail(HTML).html
    before, after = HTML.split("{%- include 'offer' -%}")
    assert made.endswith(after)
    begin, _styles, body = made.partition("<style")
    assert before.startswith(begin)
    assert ".mj-column-per-50 { width:50%" in made.split("</head>")[0]
    assert "<body" not in body.partition("<body>")[2].partition("</body>")[0]
    # A second block brings no second copy of the same styles.
    twice = HTML.replace("</td>", '{% include "offer" %}</td>')
    assert mail(twice).html.count(".mj-column-per-50 { width:50%") == made.count(
        ".mj-column-per-50 { width:50%"
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("source", "times"),
    [
        ('<mj-wrapper><mj-raw>{% include "offer" %}</mj-raw></mj-wrapper>', 1),
        ('<mj-section><mj-column><mj-text>{% include "offer" %}</mj-text></mj-column>'
         "</mj-section>", 1),
        ('{% include "offer" %}<!-- <mj-section> -->{% include "offer" %}', 2),
        ('<mj-raw>{% if first_name %}</mj-raw>{% include "offer" %}'
         "<mj-raw>{% endif %}</mj-raw>", 1),
        ('{# {% include "offer" %} #}<mj-raw>x</mj-raw>', 0),
    ],
)  # fmt: skip
def test_in_mjml_a_block_stands_between_sections_or_where_html_may_stand(source, times):
    block()
    made = mail(f"<mjml><mj-body>{source}<mj-raw>{LEAVE}</mj-raw></mj-body></mjml>")
    assert made.html.count("Ten percent off") == times


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('{% include "nothing" %}', "There is no saved block called “nothing”"),
        ("{% include offer %}", 'Name one saved block, such as {% include "footer" %}'),
        ('{% include "offer" ignore missing %}', "Name one saved block"),
        ('{% include ["offer", "x"] %}', "Name one saved block"),
        ('{% include "offer" %}' * 31, "at most 30 saved blocks"),
        ("pnb0000bnp", "reserved"),
        ("{% import 'offer' as x %}", "import"),
        (
            '{% for a in products %}{% for b in a.of %}{% for c in b.of %}{% for d in c.of %}'
            '{% include "offer" %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}',
            "nested 3 deep",
        ),
        (
            '{% for a in products %}{% for b in a.of %}{% for c in b.of %}'
            + '{% include "long" %}' * 2 + "{% endfor %}{% endfor %}{% endfor %}",
            "too much",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_included_is_refused_and_nothing_is_kept(source, why):
    block()
    block("x" * 4_000, name="Long")
    with pytest.raises(Invalid, match=why) as no:
        mail(HTML.replace("<p>", f"{source}<p>"))
    assert no.value.field == "mjml"
    with pytest.raises(Invalid):
        mail(MJML.replace("Own words", source))
    assert not Template.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("element", ["mj-section", "mj-column", "mj-button", "mjml"])
def test_where_mjml_holds_no_html_the_tag_is_refused_with_its_place(element):
    block()
    source = MJML.replace("<mj-text>", "<mj-button>x</mj-button><mj-text>")
    source = source.replace(f"<{element}>", f'<{element}>{{% include "offer" %}}')
    with pytest.raises(Invalid, match=f'include "offer" %}} cannot stand inside {element}') as no:
        mail(source)
    assert "between two sections" in no.value.remedy


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["text", "html"])
def test_a_block_includes_neither_itself_nor_another(kind):
    offer = block()
    field = "source" if kind == "html" else "text"
    for words in ('{% include "offer" %}', "{% include 'footer' %}", "{%include offer%}"):
        with pytest.raises(Invalid, match="cannot hold another") as no:
            block(block_id=offer.pk, blocks=[{"kind": kind, field: words}])
        assert no.value.field == "blocks"
    offer.refresh_from_db()
    assert offer.version == 1


@pytest.mark.django_db
def test_a_mail_of_blocks_takes_them_from_the_list():
    block()
    with pytest.raises(Invalid, match="from the list"):
        content.save(
            name="News", subject="Hi", written_in="blocks", user=None, now=NOW,
            blocks=[{"kind": "html", "source": '{% include "offer" %}'}, {"kind": "footer"}],
        )  # fmt: skip


@pytest.mark.django_db
def test_a_change_that_a_mail_could_not_bear_is_refused_with_its_name():
    footer = block(name="Footer", blocks=[{"kind": "footer", "text": "Kestrel Ltd."}])
    news = mail('<p>Words</p>{% include "footer" %}')
    with pytest.raises(Invalid, match=r"The mail News would no longer work: .*unsubscribe"):
        change(footer, "No way to leave")
    news.refresh_from_db()
    assert ("Kestrel Ltd." in news.html, news.version) == (True, 1)


@pytest.mark.django_db
def test_each_language_gets_the_block_in_its_own_or_the_nearest():
    offer = change(block(), "Zehn Prozent", language="de")
    news = mail(MJML)
    for code in ("de-at", "fr"):
        news = translations.save(
            template_id=news.pk, language=code, subject="S", written_in="html", mjml=HTML,
            user=None, now=NOW,
        )  # fmt: skip
    assert "Ten percent" in news.html
    assert "Zehn Prozent" in news.languages["de-at"]["html"]
    assert "Ten percent" in news.languages["fr"]["html"]
    change(offer, "Elf Prozent", language="de")
    news.refresh_from_db()
    assert "Elf Prozent" in news.languages["de-at"]["html"]
    assert news.languages["de-at"]["mjml"] == HTML


@pytest.mark.django_db
def test_where_it_stands_is_known_and_it_is_kept_as_long():
    offer, unused = block(), block(name="Unused")
    one = mail(MJML, name="One")
    mail(HTML + HTML, name="Two")
    mail(f"<p>{LEAVE}</p>", name="None")
    translations.save(
        template_id=mail(f"<p>{LEAVE}</p>", name="Three").pk, language="de", subject="S",
        written_in="html", mjml=HTML, user=None, now=NOW,
    )  # fmt: skip
    content.save(
        name="Four", subject="Hi", written_in="blocks", user=None, now=NOW,
        blocks=[{"kind": "saved", "saved": offer.pk}, {"kind": "footer"}],
    )  # fmt: skip
    names = references.mails_with(offer.pk).order_by("name").values_list("name", flat=True)
    assert list(names) == ["Four", "One", "Three", "Two"]
    assert references.counts() == {offer.pk: 4}
    with pytest.raises(Conflict, match="kept: Four, One, Three, Two"):
        library.delete(block_id=offer.pk, user=None)
    library.delete(block_id=unused.pk, user=None)
    change(offer, "Twenty")
    back = versions.restore(template_id=one.pk, number=1, user=None, now=NOW)
    assert (back.version, "Twenty" in back.html) == (3, True)


@pytest.mark.django_db
def test_what_is_being_sent_keeps_what_it_said_and_what_starts_next_does_not():
    people(1)
    offer = block()
    of = campaign()
    of.template = mail(HTML)
    of.save()
    run = started(of=of)
    change(offer, "Twenty percent off")
    run.refresh_from_db()
    assert "Ten percent off" in run.snapshot["contents"]["a"]["template"]["html"]
    of.template.refresh_from_db()
    assert "Twenty percent off" in of.template.html


@pytest.mark.django_db
def test_keys_come_from_names_stay_and_are_never_shared():
    offer = block(name="Offer of the week!")
    assert offer.key == "offer-of-the-week"
    assert block(name="Offer of the week").key == "offer-of-the-week-2"
    assert block(name="页脚").key == "页脚"
    assert block(name="!!!").key == "block"
    assert "Ten" in mail(f'<p>{LEAVE}</p>{{% include "页脚" %}}').html
    renamed = library.save(block_id=offer.pk, name="Offer", blocks=offer.blocks, user=None, now=NOW)
    assert (renamed.name, renamed.key) == ("Offer", "offer-of-the-week")
    assert block(key="own_key").key == "own_key"
    for key in ("own_key", "a b", "x" * 61, "a'"):
        with pytest.raises(Invalid) as no:
            block(key=key)
        assert no.value.field == "key"


@given(st.lists(st.sampled_from(
    ["<mj-section>", "</mj-section>", "<mj-raw>", "</mj-raw>", "<mj-spacer/>", "<!--", "-->",
     "<mj-body>", "</mj-body>", "pnb0000bnp", "{{ a > b }}", "x", "<"]), max_size=12))  # fmt: skip
def test_nothing_is_lost_when_places_between_sections_are_found(parts):
    source = "".join(parts)
    try:
        made = inclusions._placed(source, ["offer"])
    except Invalid:
        return
    assert made.replace("<mj-raw>pnb0000bnp</mj-raw>", "pnb0000bnp").replace(
        "<mj-raw>", ""
    ) == source.replace("<mj-raw>pnb0000bnp</mj-raw>", "pnb0000bnp").replace("<mj-raw>", "")
    assert layout.EXPRESSION.findall(made) == layout.EXPRESSION.findall(source)
