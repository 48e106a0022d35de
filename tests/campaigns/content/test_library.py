"""Blocks that are saved once: every mail with them follows, and what was launched does not."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import content
from campaigns.content import history, library, references, translations, versions
from campaigns.models import SavedBlock, Template
from campaigns.review import approval
from marketing.core.errors import Conflict, Invalid, NotFound
from tests import factories
from tests.campaigns.conftest import campaign, people, started

pytestmark = pytest.mark.django_db
NOW = factories.NOW
FOOTER = [{"kind": "footer", "text": "Kestrel Ltd, 1 Street."}]


def block(words: str = "Ten percent off", name: str = "Offer", **more) -> SavedBlock:
    blocks = more.pop("blocks", [{"kind": "text", "text": words}])
    return library.save(name=name, blocks=blocks, user=None, now=NOW, **more)


def change(row: SavedBlock, words: str, **more) -> SavedBlock:
    return block(words, name=row.name, block_id=row.pk, **more)


def mail(*saved: SavedBlock, name: str = "News", template: Template | None = None, **more):
    blocks = [
        *({"kind": "saved", "saved": row.pk} for row in saved),
        *more.pop("blocks", [{"kind": "footer"}]),
    ]
    return content.save(
        template_id=template.pk if template else None,
        name=name, subject="Hi", written_in="blocks", blocks=blocks, user=None, now=NOW,
    )  # fmt: skip


def test_a_change_is_in_every_mail_with_it_and_is_a_version_of_each():
    offer = block()
    one, two, other = mail(offer, name="One"), mail(offer, offer, name="Two"), mail(name="Other")
    assert "Ten percent off" in one.html
    assert "Ten percent off" in one.text
    change(offer, "Twenty percent off")
    for row, number in ((one, 2), (two, 2), (other, 1)):
        row.refresh_from_db()
        assert row.version == number
    assert "Twenty percent off" in one.html
    assert two.html.count("Twenty percent off") == 2
    newest = history.of(one)[0]
    assert (newest.number, newest.said["because"]) == (2, "Offer")
    assert "Twenty percent off" in newest.said["mjml"]


def test_what_was_launched_keeps_what_it_said():
    people(1)
    offer = block()
    of = campaign()
    of.template = mail(offer)
    of.save()
    run = started(of=of)
    change(offer, "Twenty percent off")
    run.refresh_from_db()
    kept = run.snapshot["contents"]["a"]["template"]
    assert "Ten percent off" in kept["html"]
    assert "Twenty" not in kept["html"]


def test_a_change_of_a_block_asks_for_approval_again():
    offer = block()
    of = campaign()
    of.template = mail(offer)
    of.save()
    before = approval.digest(of)
    change(offer, "Twenty percent off")
    of.refresh_from_db()
    assert approval.digest(of) != before


def test_a_change_that_a_mail_could_not_bear_is_refused_and_changes_nothing():
    footer = block(name="Footer", blocks=FOOTER)
    news = mail(footer, blocks=[])
    with pytest.raises(Invalid, match=r"The mail News would no longer work: .*unsubscribe") as no:
        change(footer, "No way to leave")
    assert no.value.field == "blocks"
    footer.refresh_from_db()
    news.refresh_from_db()
    assert (footer.version, news.version) == (1, 1)
    assert "Kestrel Ltd" in news.html


def test_each_language_of_a_mail_gets_the_block_in_its_own_or_the_nearest():
    offer = block()
    offer = change(offer, "Zehn Prozent", language="de")
    news = mail(offer)
    saved = [{"kind": "saved", "saved": offer.pk}, {"kind": "footer"}]
    for code in ("de-at", "fr"):
        news = translations.save(
            template_id=news.pk, language=code, subject="S", written_in="blocks", blocks=saved,
            user=None, now=NOW,
        )  # fmt: skip
    assert "Ten percent" in news.html
    assert "Zehn Prozent" in news.languages["de-at"]["html"]
    assert "Ten percent" in news.languages["fr"]["html"]
    change(offer, "Elf Prozent", language="de")
    news.refresh_from_db()
    assert "Elf Prozent" in news.languages["de-at"]["html"]
    assert "Ten percent" in news.html
    library.unlanguage(block_id=offer.pk, language="de", user=None, now=NOW)
    news.refresh_from_db()
    assert "Ten percent" in news.languages["de-at"]["html"]


def test_one_that_stands_in_mails_is_kept_and_they_are_named():
    offer = block()
    mail(offer, name="One")
    mail(offer, name="Two")
    with pytest.raises(Conflict, match="kept: One, Two"):
        library.delete(block_id=offer.pk, user=None)
    assert [row.name for row in references.mails_with(offer.pk).order_by("name")] == ["One", "Two"]
    Template.objects.all().delete()
    library.delete(block_id=offer.pk, user=None)
    assert not SavedBlock.objects.exists()


def test_a_former_version_comes_back_everywhere():
    offer = block()
    news = mail(offer)
    change(offer, "Twenty percent off")
    back = library.restore(block_id=offer.pk, number=1, user=None, now=NOW)
    assert (back.version, back.versions.first().restored) == (3, 1)
    news.refresh_from_db()
    assert (news.version, "Ten percent off" in news.html) == (3, True)
    with pytest.raises(Invalid, match="says now"):
        library.restore(block_id=offer.pk, number=3, user=None, now=NOW)
    with pytest.raises(NotFound):
        library.restore(block_id=offer.pk, number=9, user=None, now=NOW)


def test_blocks_are_held_before_the_mail_whose_version_comes_back():
    """Whoever changes a block holds it first and then its mails: the other way round both wait."""
    offer = block()
    news = mail(offer)
    german = [{"kind": "saved", "saved": block("Zehn", "Other").pk}, {"kind": "footer"}]
    translations.save(
        template_id=news.pk, language="de", subject="S", written_in="blocks", blocks=german,
        user=None, now=NOW,
    )  # fmt: skip
    mail(template=news)
    with CaptureQueriesContext(connection) as asked:
        versions.restore(template_id=news.pk, number=2, user=None, now=NOW)
    held = [query["sql"] for query in asked if "FOR UPDATE" in query["sql"]]
    assert "campaigns_savedblock" in held[0]
    assert all(str(row.pk) in held[0] for row in SavedBlock.objects.all())
    assert any("campaigns_template" in sql for sql in held[1:])


@pytest.mark.parametrize(
    ("blocks", "why"),
    [
        ([], "Add a block first"),
        ([{"kind": "saved", "saved": 1}], "cannot hold another"),
        ([{"kind": "text", "text": "{{ nothing }}"}], "no value called nothing"),
        ([{"kind": "text", "text": "x"}] * 13, "At most 12"),
        ("x", "cannot be read"),
    ],
)
def test_what_could_not_stand_in_a_mail_is_not_saved(blocks, why):
    with pytest.raises(Invalid, match=why):
        block(blocks=blocks)
    assert not SavedBlock.objects.exists()


@pytest.mark.parametrize("number", [0, "", None, True, -1, "x", 10**30, 77])
def test_a_reference_to_nothing_is_refused(number):
    with pytest.raises(Invalid):
        content.save(
            name="News", subject="Hi", written_in="blocks",
            blocks=[{"kind": "saved", "saved": number}, {"kind": "footer"}], user=None, now=NOW,
        )  # fmt: skip


def test_going_on_in_mjml_keeps_the_words_and_no_longer_follows():
    offer = block()
    news = mail(offer)
    content.save(
        template_id=news.pk, name="News", subject="Hi", written_in="mjml", mjml=news.mjml,
        user=None, now=NOW,
    )  # fmt: skip
    change(offer, "Twenty percent off")
    news.refresh_from_db()
    assert "Ten percent off" in news.html
    library.delete(block_id=offer.pk, user=None)
