"""Every save is a version: listed, compared, brought back; and a template says where it is used."""

import pytest

from campaigns import content
from campaigns.content import history, versions
from campaigns.models import Journey, Template, Variant
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import User
from tests import factories
from tests.campaigns.conftest import MJML, campaign

pytestmark = pytest.mark.django_db


def save(template: Template | None = None, **values) -> Template:
    given = {"name": "News", "subject": "Hello", "preheader": "", "mjml": MJML, "user": None}
    key = template.pk if template else None
    return content.save(template_id=key, **{**given, **values}, now=factories.NOW)


def test_every_save_is_a_version_with_who_saved_it():
    ada = User.objects.create(username="ada")
    template = save(save(user=ada), subject="Hello again", user=ada)
    found = history.of(template)
    assert [(row.number, row.said["subject"], row.saved_by) for row in found] == [
        (2, "Hello again", ada),
        (1, "Hello", ada),
    ]


def test_a_template_from_before_versions_keeps_what_it_said_at_its_first_save():
    template = save()
    template.versions.all().delete()
    save(template, subject="New")
    assert [(row.number, row.said["subject"]) for row in history.of(template)] == [
        (2, "New"),
        (1, "Hello"),
    ]


def test_two_versions_are_compared_in_lines_and_words():
    before = {"subject": "Hello to you", "mjml": "one\nthe red cup\nthree\n"}
    after = {"subject": "Hello to all", "mjml": "one\nthe blue cup\nthree\nfour\n"}
    subject, body = versions.changes(before, after)
    assert (subject.label, body.label) == ("Subject", "Body")
    assert subject.lines[0].words == (("", "Hello to "), ("-", "you"), ("+", "all"))
    assert [line.sign for line in body.lines] == ["~", "+"]
    assert body.lines[0].words == (("", "the "), ("-", "red"), ("+", "blue"), ("", " cup"))
    assert body.lines[1].words == (("+", "four"),)
    assert versions.changes(after, after) == []


def test_a_former_version_comes_back_as_a_new_one():
    template = save(save(), subject="Changed", mjml=MJML.replace("Hello", "Goodbye"))
    back = versions.restore(template_id=template.pk, number=1, user=None, now=factories.NOW)
    assert (back.version, back.subject, back.mjml) == (3, "Hello", MJML)
    assert "Hello" in back.html
    assert history.of(back)[0].restored == 1
    with pytest.raises(Invalid, match="says now"):
        versions.restore(template_id=back.pk, number=3, user=None, now=factories.NOW)
    with pytest.raises(NotFound):
        versions.restore(template_id=back.pk, number=9, user=None, now=factories.NOW)


def test_a_template_names_the_campaigns_and_journeys_that_send_it_and_is_kept_while_they_do():
    first, other = campaign(), campaign()
    mail = first.template
    Variant.objects.create(campaign=other, key="b", template=mail)
    nodes = {"m": {"kind": "send", "channel": "email", "template": mail.pk}}
    journey = Journey.objects.create(name="Welcome", draft={"nodes": nodes, "start": "m"})
    Journey.objects.create(name="Else", draft={"nodes": {"m": {"template": mail.pk + 1}}})
    assert [(place.kind, place.name) for place in history.used(mail)] == [
        ("campaign", "News"),
        ("campaign", "News"),
        ("journey", "Welcome"),
    ]
    Variant.objects.all().delete()
    first.delete()
    with pytest.raises(Conflict, match="Welcome"):
        content.delete(template_id=mail.pk, user=None)
    journey.delete()
    content.delete(template_id=mail.pk, user=None)
    assert not Template.objects.filter(pk=mail.pk).exists()


def test_a_campaign_that_changes_a_mail_of_a_journey_goes_on_with_a_copy():
    own = campaign()
    nodes = {"m": {"kind": "send", "template": own.template_id}}
    Journey.objects.create(name="Welcome", draft={"nodes": nodes})
    values = {"name": "News", "subject": "Mine", "preheader": "", "mjml": MJML}
    made = content.keep(
        template_id=own.template_id, campaign_id=own.pk, values=values, user=None,
        now=factories.NOW,
    )  # fmt: skip
    assert made.pk != own.template_id
    assert Template.objects.get(pk=own.template_id).subject == "News"
