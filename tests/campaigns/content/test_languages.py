"""A message in several languages: the person's language chooses, and the run keeps all of them."""

from email import message_from_bytes
from email.policy import default

import pytest

from campaigns import content
from campaigns.content import history, seeing, translations, versions
from campaigns.messaging import delivery, languages
from ingestion.models import Customer
from marketing.core.errors import Invalid, NotFound
from tests import factories
from tests.campaigns.conftest import MJML, campaign, people, started

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("zh", "zh-hans"),
        ("zh_Hans", "zh-hans"),
        ("fr", ""),
        ("", ""),
    ],
)
def test_the_nearest_language_is_chosen(wanted, found):
    assert languages.chosen(["de", "zh-hans"], wanted) == found


def german(template, **values):
    said = {"subject": "Neues", "mjml": MJML.replace("Hello", "Hallo")}
    return translations.save(
        template_id=template.pk, language="DE", **{**said, **values}, user=None, now=factories.NOW
    )


def test_each_person_gets_the_mail_in_their_language(postbox):
    of = campaign()
    german(of.template)
    people(3)
    Customer.objects.filter(external_id="p1").update(language="de-AT")
    Customer.objects.filter(external_id="p2").update(language="fr")
    run = started(of)
    # What was said when the run began is what is sent.
    translations.remove(template_id=of.template_id, language="de", user=None, now=factories.NOW)
    assert delivery.deliver(run_id=run.pk)
    sent = {}
    for _address, data in postbox.mails:
        read = message_from_bytes(data, policy=default)
        sent[read["To"].addresses[0].username] = (
            read["Subject"], "Hallo" in read.get_body(("html",)).get_content()
        )  # fmt: skip
    assert sent == {"p0": ("News", False), "p1": ("Neues", True), "p2": ("News", False)}


def test_a_language_is_checked_when_it_is_saved_and_named_in_the_refusal():
    template = campaign().template
    with pytest.raises(Invalid, match="German: There is no value called password"):
        german(template, mjml=MJML.replace("first_name", "password"))
    with pytest.raises(Invalid, match="by its code"):
        translations.save(template_id=template.pk, language="<b>", user=None, now=factories.NOW)
    template.refresh_from_db()
    assert template.languages == {}


def test_a_language_may_be_taken_away_and_comes_back_with_the_version_that_had_it():
    template = german(campaign().template)
    assert template.version == 2
    gone = translations.remove(template_id=template.pk, language="de", user=None, now=factories.NOW)
    assert gone.languages == {}
    with pytest.raises(NotFound):
        translations.remove(template_id=template.pk, language="de", user=None, now=factories.NOW)
    back = versions.restore(template_id=template.pk, number=2, user=None, now=factories.NOW)
    assert back.languages["de"]["html"] == template.languages["de"]["html"]
    assert {change.label for change in versions.changes(
        history.former(back, 3), back.versions.get(number=4).said
    )} == {"de · Subject", "de · Body"}  # fmt: skip


def test_a_preview_is_in_the_persons_language_and_a_sample_tries_each_in_their_own():
    template = german(campaign().template, subject="Neues, {{ last_name }}")
    people(4)
    Customer.objects.filter(external_id__in=["p1", "p3"]).update(language="de")
    Customer.objects.filter(external_id="p3").update(last_name="Weiß")
    found = {person.external_id: person for person in Customer.objects.all()}
    assert seeing.preview(parts=vars(template), customer_id=found["p3"].pk).subject == "Neues, Weiß"
    assert seeing.preview(parts=vars(template), customer_id=found["p0"].pk).subject == "News"
    trial = content.trial(parts=vars(template), people=list(found.values()))
    assert trial.tried == 4
    assert [(f.customer_id, f.missing) for f in trial.failures] == [(found["p1"].pk, "last_name")]
    assert trial.missing == [("last_name", 1)]
