"""Odd things typed into the real pages: refused beside their field, or sent as what they are."""

from email import message_from_bytes, policy

import pytest
from django.db import connection
from django.urls import reverse

from campaigns.messaging import delivery
from campaigns.models import Campaign, Message, Segment, Template
from campaigns.segments import definitions
from campaigns.sending import runs
from tests import factories
from tests.campaigns.conftest import EVERYBODY, MJML, people

pytestmark = pytest.mark.django_db
BODY = {"name": "News", "subject": "Hello", "written_in": "mjml", "mjml": MJML}
LINKS = [
    "mailto:help@shop.example",
    "tel:+4930123456",
    "#top",
    "https://shop.example/?a=1&amp;b=2",
    "https://xn--bcher-kva.example/",
    "https://straße.example:8443/größe?q=ü",
    "https://shop.example/{{ email }}",
]


@pytest.fixture
def marketer(client):
    client.force_login(factories.user("marketer"))
    return client


def written(marketer, **values) -> Template:
    answer = marketer.post(reverse("campaigns:template-new"), {**BODY, **values})
    assert answer.status_code == 302, answer.content.decode()[:3_000]
    return Template.objects.get()


def sent(template: Template, postbox):
    """The one mail of a campaign with this template, as a mailbox has it."""
    people(1)
    segment = definitions.save(name="Everybody", rule=EVERYBODY, actor=None)
    of = Campaign.objects.create(
        name="News", segment=segment, template=template, holdout_percent=0, utm={"off": True}
    )
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    delivery.deliver(run_id=run.pk)
    (mail,) = postbox.mails
    return message_from_bytes(mail[1], policy=policy.default)


@pytest.mark.parametrize(
    "subject",
    ["🎉 Sale – 50% \u202eoff\u202c", "مرحبا بكم", "Ωmega ﬁ 中文", "'\"<b>&amp;</b>", "a" * 180],
)
def test_a_subject_arrives_as_it_was_typed(marketer, postbox, subject) -> None:
    assert sent(written(marketer, subject=subject), postbox)["Subject"] == subject


@pytest.mark.parametrize(
    "subject", ["Hi\r\nBcc: eve@example.com", "Hi\nBcc: eve@example.com", "a" * 2_000, "   "]
)
def test_a_subject_that_would_be_more_than_a_subject_never_becomes_a_header(
    marketer, postbox, subject
) -> None:
    answer = marketer.post(reverse("campaigns:template-new"), {**BODY, "subject": subject})
    if answer.status_code == 422:
        assert not Template.objects.exists()
        return
    mail = sent(Template.objects.get(), postbox)
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize(
    "mjml",
    [
        MJML.replace("Hello", "{% for a in picks %}{% for b in picks %}{% endfor %}{% endfor %}x"),
        MJML.replace("https://shop.example/new", "javascript:alert(1)"),
        MJML.replace("<mj-body>", "<mj-body><mj-include path='/etc/passwd' />"),
        MJML.replace("</mj-text>", "", 1),
        MJML.replace("Hello", "x" * 5_000_000),
        MJML.replace("Hello", "{{ nobody_knows_this }}"),
        MJML.replace("Hello", "{% include 'x' %}"),
    ],
    ids=["loops", "script link", "file", "unbalanced", "five megabytes", "unknown", "include"],
)
def test_a_mail_that_is_a_trap_is_refused_with_words_and_changes_nothing(marketer, mjml) -> None:
    answer = marketer.post(reverse("campaigns:template-new"), {**BODY, "mjml": mjml})
    assert answer.status_code in (413, 422)
    assert not Template.objects.exists()


def test_a_form_that_is_too_large_says_how_much_it_holds_and_what_to_do(marketer) -> None:
    mjml = MJML.replace("Hello", "x" * 5_000_000)
    answer = marketer.post(reverse("campaigns:template-new"), {**BODY, "mjml": mjml})
    assert answer.status_code == 413
    assert "A form holds at most 2 MB of text. Nothing was changed" in answer.text
    assert not Template.objects.exists()


def test_links_of_every_kind_lead_where_they_were_meant_to(marketer, postbox, client) -> None:
    texts = "".join(f'<mj-text><a href="{one}">go</a></mj-text>' for one in LINKS)
    template = written(marketer, mjml=MJML.replace("<mj-text>Hello", f"{texts}<mj-text>Hello", 1))
    html = sent(template, postbox).get_body(("html",)).get_content()
    for untouched in ("mailto:help@shop.example", "tel:+4930123456", "#top"):
        assert f'href="{untouched}"' in html
    targets = set()
    for piece in html.split('href="')[1:]:
        link = piece.partition('"')[0].replace("&amp;", "&")
        if "/c/" in link:
            answer = client.get("/" + link.split("/", 3)[3])
            assert answer.status_code == 302
            targets.add(answer["Location"])
    assert targets >= {
        "https://shop.example/?a=1&b=2",
        "https://xn--bcher-kva.example/",
        "https://xn--strae-oqa.example:8443/gr%C3%B6%C3%9Fe?q=%C3%BC",
        "https://shop.example/p0@example.com",
        "https://shop.example/new",
    }


@pytest.mark.parametrize(
    "rule",
    [
        "{" * 500,
        '{"all": ' * 500 + "[]" + "}" * 500,
        '{"field": "email", "op": "matches", "value": "(a+)+$"}',
        '{"field": "no_such_field", "op": "is", "value": 1}',
        '{"segment": 999999}',
    ],
    ids=["braces", "500 groups", "a regex", "a field that is gone", "a segment that is gone"],
)
def test_a_rule_that_is_a_trap_is_refused_with_words(marketer, rule) -> None:
    answer = marketer.post(reverse("campaigns:segment-create"), {"name": "Trap", "rule": rule})
    assert answer.status_code == 422
    assert answer.content.strip()
    assert not Segment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_number_of_ours_leaves_with_a_mail(marketer, postbox) -> None:
    """Whoever reads one mail learns nothing by which the next person could be named."""
    with connection.cursor() as cursor:
        for table in ("ingestion_customer", "campaigns_message", "campaigns_run"):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 987654321)", [table])
    mail = sent(written(marketer), postbox)
    message = Message.objects.get()
    assert message.pk > 987654321 < message.customer_id
    whole = postbox.mails[0][1].decode("ascii", "replace")
    for part in ("html", "plain"):
        whole += mail.get_body((part,)).get_content()
    for number in (message.pk, message.customer_id, message.run_id):
        assert str(number) not in whole
        assert f"{number:x}" not in whole
