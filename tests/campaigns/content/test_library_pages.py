"""Saved blocks in the library: written, looked at, used in mails, compared, deleted."""

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from campaigns import content
from campaigns.content import library
from campaigns.models import SavedBlock
from tests import factories
from tests.campaigns.conftest import people

pytestmark = pytest.mark.django_db
NOW = factories.NOW
TEN = [{"kind": "text", "text": "Ten percent off"}]


@pytest.fixture
def marketer(client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def offer(words=TEN) -> SavedBlock:
    return library.save(name="Offer", blocks=words, user=None, now=NOW)


def mail(saved: SavedBlock):
    return content.save(
        name="News", subject="Hi", written_in="blocks", user=None, now=NOW,
        blocks=[{"kind": "saved", "saved": saved.pk}, {"kind": "footer"}],
    )  # fmt: skip


def sent(blocks) -> str:
    return orjson.dumps(blocks).decode()


def test_a_block_is_written_listed_and_changed(marketer):
    assert "No saved blocks yet" in marketer.get(reverse("campaigns:block-list")).content.decode()
    new = reverse("campaigns:block-new")
    assert marketer.get(new).status_code == 200
    answer = marketer.post(new, {"name": "Offer", "blocks": sent(TEN)})
    row = SavedBlock.objects.get()
    assert answer["Location"] == reverse("campaigns:block-edit", args=[row.pk])
    mail(row)
    page = marketer.get(reverse("campaigns:block-list")).content.decode()
    assert "Offer" in page
    assert '<td class="end num">1</td>' in page
    page = marketer.get(answer["Location"]).content.decode()
    assert "News" in page
    marketer.post(
        answer["Location"],
        {"name": "x", "language": "de", "blocks": sent([{"kind": "text", "text": "Zehn"}])},
    )
    row.refresh_from_db()
    assert (row.name, row.version, row.languages["de"][0]["text"]) == ("Offer", 2, "Zehn")
    assert "Zehn" in marketer.get(answer["Location"] + "?language=de").content.decode()
    marketer.post(reverse("campaigns:block-unlanguage", args=[row.pk, "de"]))
    row.refresh_from_db()
    assert row.languages == {}


def test_what_is_wrong_is_said_beside_what_was_written(marketer):
    new = reverse("campaigns:block-new")
    page = marketer.post(new, {"name": "", "blocks": sent(TEN)})
    assert page.status_code == 422
    assert "Give the block a name." in page.content.decode()
    assert "Ten percent off" in page.content.decode()
    for bad in ("{", sent([]), sent([{"kind": "text", "text": "{{ nothing }}"}])):
        assert marketer.post(new, {"name": "x", "blocks": bad}).status_code == 422
    assert not SavedBlock.objects.exists()


def test_it_is_shown_as_one_person_sees_it(marketer):
    people(1)
    said = sent([{"kind": "text", "text": 'Hello {{ first_name|default("you") }}'}])
    shown = marketer.post(reverse("campaigns:block-preview"), {"blocks": said})
    assert "Hello Person0" in shown.content.decode()
    look = marketer.post(reverse("campaigns:block-look"), {"blocks": said})
    assert look.content.decode().strip() == ""
    look = marketer.post(reverse("campaigns:block-look"), {"blocks": sent([])})
    assert "Add a block first." in look.content.decode()


def test_the_editor_of_mails_offers_saved_blocks_and_saves_one_from_a_mail(marketer):
    row = offer()
    page = marketer.get(reverse("campaigns:template-new")).content.decode()
    assert f'data-saved="{row.pk}"' in page
    assert 'data-add="saved"' in page
    kept = marketer.post(
        reverse("campaigns:block-keep"), {"name": "Second", "blocks": sent(TEN)}
    ).json()
    made = SavedBlock.objects.get(name="Second")
    assert kept["id"] == made.pk
    assert kept["blocks"][0]["text"] == "Ten percent off"
    assert (
        "Give the block a name"
        in marketer.post(reverse("campaigns:block-keep"), {"blocks": sent(TEN)}).json()["error"]
    )


def test_versions_are_compared_brought_back_and_the_mail_tells_why_it_changed(marketer):
    row = offer()
    news = mail(row)
    library.save(
        block_id=row.pk, name="Offer", blocks=[{"kind": "text", "text": "Twenty percent off"}],
        user=None, now=NOW,
    )  # fmt: skip
    page = marketer.get(reverse("campaigns:block-versions", args=[row.pk])).content.decode()
    assert "<del>Ten</del>" in page
    assert "<ins>Twenty</ins>" in page
    of_mail = marketer.get(reverse("campaigns:template-versions", args=[news.pk])).content.decode()
    assert "the block Offer was changed" in of_mail
    marketer.post(reverse("campaigns:block-restore", args=[row.pk, 1]))
    news.refresh_from_db()
    assert "Ten percent off" in news.html


def test_one_in_use_is_not_deleted_and_the_mails_are_named(marketer):
    row = offer()
    news = mail(row)
    answer = marketer.post(reverse("campaigns:block-delete", args=[row.pk]), follow=True)
    assert "It stands in these mails, so it was kept: News." in answer.content.decode()
    news.delete()
    marketer.post(reverse("campaigns:block-delete", args=[row.pk]))
    assert not SavedBlock.objects.exists()


def test_an_analyst_reads_and_changes_nothing(client):
    row = offer()
    client.force_login(factories.user("analyst"))
    assert client.get(reverse("campaigns:block-list")).status_code == 200
    assert client.get(reverse("campaigns:block-versions", args=[row.pk])).status_code == 200
    for name, args in (("block-delete", [row.pk]), ("block-keep", []), ("block-edit", [row.pk])):
        assert client.post(reverse(f"campaigns:{name}", args=args)).status_code == 403
    assert SavedBlock.objects.count() == 1


def test_the_pages_ask_few_questions(marketer, django_assert_max_num_queries):
    row = offer()
    for n in range(12):
        library.save(name=f"Block {n}", blocks=TEN, user=None, now=NOW)
        mail(row)
    for name, args in (
        ("block-list", []),
        ("block-edit", [row.pk]),
        ("block-versions", [row.pk]),
        ("template-new", []),
    ):
        with django_assert_max_num_queries(20):
            assert marketer.get(reverse(f"campaigns:{name}", args=args)).status_code == 200


@pytest.mark.parametrize("written_in", ["mjml", "html"])
def test_who_writes_source_is_offered_tags_and_sees_what_stands_for_them(marketer, written_in):
    row = offer()
    people(1)
    page = marketer.get(reverse("campaigns:template-new") + f"?as={written_in}").content.decode()
    assert 'data-insert="{% include &quot;offer&quot; %}"' in page
    assert (
        '{% include "offer" %}'
        in marketer.get(reverse("campaigns:block-edit", args=[row.pk])).content.decode()
    )
    source = '{% include "offer" %}<a href="{{ unsubscribe_url }}">Leave</a>'
    if written_in == "mjml":
        source = f"<mjml><mj-body><mj-raw>{source}</mj-raw></mj-body></mjml>"
    said = {"name": "News", "subject": "Hi", "written_in": written_in, "mjml": source}
    seen = marketer.post(reverse("campaigns:template-preview"), said).content.decode()
    assert "Ten percent off" in seen
    library.save(
        block_id=row.pk, name="Offer", language="de", user=None, now=NOW,
        blocks=[{"kind": "text", "text": "Zehn Prozent"}],
    )  # fmt: skip
    seen = marketer.post(reverse("campaigns:template-preview"), {**said, "language": "de"})
    assert "Zehn Prozent" in seen.content.decode()
    wrong = {**said, "mjml": source.replace("offer", "gone")}
    answer = marketer.post(reverse("campaigns:template-new"), wrong)
    assert answer.status_code == 422
    assert "There is no saved block called “gone”" in answer.content.decode()
    marketer.post(reverse("campaigns:template-new"), said)
    page = marketer.get(reverse("campaigns:block-edit", args=[row.pk])).content.decode()
    assert "News" in page
