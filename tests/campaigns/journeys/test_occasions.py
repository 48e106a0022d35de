"""Messages of a journey say what happened: the event that began it, and the one waited for."""

from datetime import timedelta
from html import unescape

import pytest

from campaigns.content import blocks, saving, seeing
from campaigns.journeys import checking, simulator
from campaigns.messaging import delivery, rendering
from campaigns.models import Enrollment, Message
from campaigns.sending import runs
from ingestion import erasure
from ingestion.models import EventProperty, EventType, Product
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.journeys.drawn import NOW, after, definition, did, live, look, stay

pytestmark = pytest.mark.django_db
WAIT = {"kind": "wait_for", "for": {"hours": 1}}


def mail(subject, *more):
    """A mail whose subject speaks of the event."""
    return saving.save(
        name="Said",
        subject=subject,
        written_in="blocks",
        blocks=[{"kind": "text", "text": "Hello."}, *more, {"kind": "footer"}],
        user=None,
        now=NOW,
    )


def basket(template, **parts):
    return live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "mail"},
            "mail": {"kind": "send", "channel": "email", "template": template.pk},
        },
        **parts,
    )


def sent(postbox):
    return [str(postbox.read(n)["Subject"]) for n in range(len(postbox.mails))]


def test_a_mail_says_what_the_event_held_that_began_the_journey(postbox):
    run = basket(mail("Your {{ event.thing }} for {{ event.total }}")).run
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1), thing="teapot", total=24.5)
    look(after(minutes=2))
    delivery.deliver(run_id=run.pk)
    assert sent(postbox) == ["Your teapot for 24.5"]


def test_each_stay_speaks_of_its_own_event(postbox):
    version = basket(mail("About {{ event.booking }}"), entry={"again": "always", "key": "booking"})
    ada = factories.customer("ada")
    for booking in ("B1", "B2"):
        did(ada, "cart", at=after(minutes=1), id=booking, booking=booking)
    look(after(minutes=2))
    delivery.deliver(run_id=version.run_id)
    assert sorted(sent(postbox)) == ["About B1", "About B2"]


def test_what_the_event_did_not_hold_is_missing_unless_a_default_is_said(postbox):
    version = live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "one"},
            "one": {
                "kind": "send",
                "channel": "email",
                "template": mail("A {{ event.colour }} one").pk,
                "next": "two",
            },
            "two": {
                "kind": "send",
                "channel": "email",
                "template": mail('A {{ event.colour|default("fine") }} one').pk,
            },
        }
    )
    did(factories.customer("ada"), "cart", at=after(minutes=1))
    look(after(minutes=2))
    delivery.deliver(run_id=version.run_id)
    assert sent(postbox) == ["A fine one"]
    failed = Message.objects.get(step="one")
    assert (failed.state, failed.reason, failed.error) == (
        "failed",
        "render",
        "event.colour is missing",
    )


def test_the_product_of_a_basket_is_shown_as_the_catalogue_has_it_today(postbox):
    Product.objects.create(
        sku="TEA-1",
        name="Blue teapot",
        price="24.50",
        currency="EUR",
        url="https://shop.example/tea-1",
        image_url="https://shop.example/tea-1.jpg",
    )
    template = mail(
        "{{ event.product.name }}: {{ event.product.price }}",
        {"kind": "products", "of": "event", "title": "In your basket"},
    )
    version = basket(template)
    did(factories.customer("ada"), "cart", at=after(minutes=1), sku="tea-1", price=30)
    look(after(minutes=2))
    delivery.deliver(run_id=version.run_id)
    assert sent(postbox) == ["Blue teapot: €24.50"]
    html = unescape(postbox.read().get_body(("html",)).get_content())
    assert "In your basket" in html
    assert "https://shop.example/tea-1.jpg" in html
    assert "€24.50" in html


def test_products_that_the_catalogue_does_not_know_are_shown_as_the_event_said(postbox):
    each = '{{ p.name }} {{ p.price|default("none") }}; '
    template = mail("{% for p in event.products %}" + each + "{% endfor %}")
    version = basket(template)
    did(
        factories.customer("ada"),
        "cart",
        at=after(minutes=1),
        items=[{"sku": "X1", "name": "Mug", "price": 8, "quantity": 2}, {"sku": "X2"}],
    )
    look(after(minutes=2))
    delivery.deliver(run_id=version.run_id)
    assert sent(postbox) == ["Mug £8.00; X2 none;"]


def test_what_was_waited_for_can_be_said_and_asked_about(postbox):
    version = live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "heard"},
            "heard": {
                "kind": "wait_event",
                "event": "order",
                "for": {"days": 1},
                "branches": [{"key": "happened", "next": "much"}, {"key": "timeout"}],
            },
            "much": {
                "kind": "split_rule",
                "where": [
                    {"property": "waited.total", "op": ">=", "value": 50},
                    {"property": "shop", "op": "=", "value": "north"},
                ],
                "branches": [{"key": "yes", "next": "mail"}, {"key": "no"}],
            },
            "mail": {
                "kind": "send",
                "channel": "email",
                "template": mail("Thanks for {{ waited.total }} in the {{ event.shop }}").pk,
            },
        }
    )
    for name, total in (("ada", 60), ("bob", 40)):
        person = factories.customer(name)
        did(person, "cart", at=after(minutes=1), shop="north")
        look(after(minutes=2))
        did(person, "order", at=after(minutes=3), total=total)
        look(after(minutes=4))
    delivery.deliver(run_id=version.run_id)
    assert sent(postbox) == ["Thanks for 60 in the north"]


def test_of_two_events_at_once_the_first_is_the_one_that_was_waited_for():
    live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "heard"},
            "heard": {
                "kind": "wait_event",
                "event": "order",
                "for": {"days": 1},
                "branches": [{"key": "happened", "next": "rest"}, {"key": "timeout"}],
            },
            "rest": {"kind": "wait_for", "for": {"days": 1}},
        }
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=2))
    did(ada, "order", at=after(minutes=3), n=1)
    did(ada, "order", at=after(minutes=4), n=2)
    look(after(minutes=5))
    assert stay(ada).waited == {"n": 1}


def test_a_split_asks_the_event_beside_a_rule_about_the_person():
    template = factories.template()
    live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "asked"},
            "asked": {
                "kind": "split_rule",
                "rule": {"field": "customer.country", "op": "=", "value": "DE"},
                "where": [{"property": "total", "op": ">", "value": 10}],
                "branches": [{"key": "yes", "next": "mail"}, {"key": "no"}],
            },
            "mail": {"kind": "send", "channel": "email", "template": template.pk},
        }
    )
    for name, country, total in (("ada", "DE", 20), ("bob", "DE", 5), ("cyd", "FR", 20)):
        did(factories.customer(name, country=country), "cart", at=after(minutes=1), total=total)
    look(after(minutes=2))
    assert [m.address for m in Message.objects.all()] == ["ada@example.com"]


def test_a_split_that_asks_nothing_is_named():
    faults = checking.faults(
        definition(
            {
                "cart": {"kind": "event", "event": "cart", "next": "asked"},
                "asked": {
                    "kind": "split_rule",
                    "branches": [{"key": "yes"}, {"key": "no"}],
                },
            }
        )
    )
    assert [(f.node, f.field) for f in faults if f.serious] == [("asked", "rule")]


def test_a_mail_about_an_event_warns_where_no_event_begins_the_journey():
    segment = factories.segment()
    template = mail("Your {{ event.thing }} and {{ waited.thing }}")
    found = checking.faults(
        definition(
            {
                "start": {"kind": "segment_enter", "segment": segment.pk, "next": "mail"},
                "mail": {"kind": "send", "channel": "email", "template": template.pk},
            },
            goal={"event": "order"},
        )
    )
    doubts = [f.message for f in found if f.node == "mail"]
    assert not any(f.serious for f in found)
    assert doubts == [
        "This speaks of the event that began the journey, but no event begins it.",
        "This speaks of an event that was waited for, but none is waited for.",
    ]


def test_a_property_that_no_such_event_ever_held_is_doubted():
    kind = EventType.objects.create(name="cart", first_seen_at=NOW, last_seen_at=NOW)
    EventProperty.objects.create(type=kind, name="total", first_seen_at=NOW, last_seen_at=NOW)
    template = mail("{{ event.total }} {{ event.totl }} {{ event.product.name }}")
    found = checking.faults(
        definition(
            {
                "cart": {"kind": "event", "event": "cart", "next": "mail"},
                "mail": {"kind": "send", "channel": "email", "template": template.pk},
            },
            goal={"event": "cart"},
        )
    )
    assert [(f.message, f.serious) for f in found if f.node == "mail"] == [
        ("No “cart” has come with “totl” yet.", False)
    ]


def test_an_event_alone_is_no_value():
    with pytest.raises(Invalid, match="There is no value called event"):
        mail("Your {{ event }}")


def test_a_preview_speaks_of_a_real_event_of_that_person():
    ada, bob = factories.customer("ada"), factories.customer("bob")
    did(ada, "cart", at=NOW, thing="teapot")
    did(bob, "cart", at=after(minutes=1), thing="mug")
    kind, _new = EventType.objects.get_or_create(
        name="cart", defaults={"first_seen_at": NOW, "last_seen_at": NOW}
    )
    EventProperty.objects.get_or_create(
        type=kind, name="thing", defaults={"first_seen_at": NOW, "last_seen_at": NOW}
    )
    template = mail("Your {{ event.thing }}")
    said = {"subject": template.subject, "html": template.html, "text": template.text}
    assert seeing.preview(parts=said, customer_id=ada.pk).subject == "Your teapot"
    assert seeing.preview(parts=said, customer_id=factories.customer("cyd").pk).subject in (
        "Your teapot",
        "Your mug",
    )


def test_the_simulator_asks_the_event_that_it_is_given():
    drawn = definition(
        {
            "cart": {"kind": "event", "event": "cart", "next": "asked"},
            "asked": {
                "kind": "split_rule",
                "where": [{"property": "total", "op": ">", "value": 10}],
                "branches": [{"key": "yes"}, {"key": "no"}],
            },
        }
    )

    def ways(total):
        steps = simulator.run(
            drawn,
            simulator.Person(),
            simulator.Clock(NOW, NOW + timedelta(hours=1)),
            simulator.Scripted(began={"total": total}),
        )
        return [step.branch for step in steps if step.node == "asked"]

    assert (ways(20), ways(5)) == (["yes"], ["no"])


def test_what_is_kept_of_an_event_is_small_and_goes_with_the_person():
    basket(factories.template())
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1), first="x", long="y" * 9_000)
    look(after(minutes=2))
    assert stay(ada).context == {"first": "x"}
    erasure.forget(customer_id=ada.pk, actor=None, now=after(hours=1))
    assert not Enrollment.objects.exists()


def test_a_mail_of_blocks_from_before_shows_what_is_recommended():
    old = [{"id": "b1", "kind": "products", "title": "", "count": 2, "instead": ""}]
    assert 'of="event"' not in blocks.compile_blocks(old)
    assert rendering.variables("{% for p in event.products %}{{ p.name }}{% endfor %}") == {
        "event.products"
    }


def test_a_campaign_refuses_a_mail_that_speaks_of_an_event():
    with pytest.raises(Invalid, match="an event, which only journeys have"):
        runs.compiled(mail("Your {{ event.thing }}"))


def test_a_way_of_many_that_asks_the_event_is_doubted_where_no_event_begins_it():
    wants = [{"property": "total", "op": ">", "value": 1}]
    ways = [{"key": "a", "where": wants}, {"key": "b"}]
    start = {"kind": "segment_enter", "segment": factories.segment().pk, "next": "it"}
    found = checking.faults(
        definition({"start": start, "it": {"kind": "split_many", "branches": ways}})
    )
    doubts = [(one.node, one.field) for one in found if "no event begins it" in one.message]
    assert doubts == [("it", "branches")]


def test_a_trial_goes_the_way_that_the_event_decides_and_asks_nothing_about_anybody():
    wants = [{"property": "total", "op": ">", "value": 100}]
    ways = [
        {"key": "much", "where": wants},
        {"key": "known", "rule": {"field": "customer.country", "op": "=", "value": "GB"},
         "where": [{"property": "total", "op": ">", "value": 50}]},
        {"key": "rest"},
    ]  # fmt: skip
    drawn = definition(
        {"cart": {"kind": "event", "event": "cart", "next": "it"},
         "it": {"kind": "split_many", "branches": ways}}
    )  # fmt: skip

    def way(total, **answers):
        walked = simulator.run(
            drawn, simulator.Person(), simulator.Clock(NOW, NOW + timedelta(hours=1)),
            simulator.Scripted(began={"total": total}, answers=answers),
        )  # fmt: skip
        return walked[-1].branch

    assert way(120) == "much"
    assert way(60) == "rest"
    assert way(60, it="known") == "known"
    assert way(40, it="known") == "rest"
