"""Forty ways to smuggle a program into a page, written wherever people write: none ever runs.

A canary is called by whatever runs. Besides, nothing may open a dialog, ask the canary's host for
anything, be worked out as an expression, or become an element; and what was written is kept.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Segment, Template
from ingestion import events
from ingestion.models import Customer, Event, Product
from marketing.core import auth
from marketing.core.models import AuditEntry
from tests import factories
from tests.browser.addresses import PUBLIC, all_pages
from tests.browser.conftest import Visit, Visitor
from tests.pages.test_hostile_text import WRITTEN

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# `@` stands for the call. Elements carry data-canary, so that one is found wherever it stands.
PAYLOADS = [
    "<script data-canary>@</script>",
    '"><script data-canary>@</script>',
    "</script><script data-canary>@</script>",
    "<ScRiPt/data-canary>@</sCrIpT >",
    "<script data-canary src=//canary.invalid/c.js></script>",
    "<scr<script data-canary>ipt>@</script>",
    "<img data-canary src=x onerror=@>",
    "'><img data-canary src=x onerror='@'>",
    "<img/data-canary/src='x'/onerror = @ //",
    "</textarea><img data-canary src=x onerror=@>",
    "</title><svg data-canary onload=@>",
    "</style><svg/data-canary/onload=@>",
    "--><svg data-canary onload=@>",
    "]]><svg data-canary onload=@>",
    "</template></noscript><svg data-canary onload=@>",
    "<svg data-canary><script>@</script></svg>",
    "<svg data-canary><animate onbegin=@ attributeName=x dur=1s>",
    "<math data-canary><mi xlink:href='javascript:@'>m</mi></math>",
    "<body data-canary onload=@>",
    "<details data-canary open ontoggle=@>x</details>",
    "<input data-canary autofocus onfocus=@>",
    '" autofocus onfocus="@" data-canary="',
    "' onmouseover='@' data-canary='",
    "x onpointerenter=@ data-canary",
    "javascript:@",
    "java\u00adscript:@//",
    "<a data-canary href='JaVaScRiPt:@'>here</a>",
    "<iframe data-canary srcdoc='<script>parent.@</script>'></iframe>",
    "<iframe data-canary src='data:text/html,<script>top.@</script>'></iframe>",
    "<object data-canary data='data:text/html,<script>@</script>'></object>",
    "<link data-canary rel=stylesheet href=//canary.invalid/c.css>",
    "<style data-canary>*{background:url(//canary.invalid/b)}</style>",
    "red;background:url(//canary.invalid/s);x:expression(@)",
    "<meta data-canary http-equiv=refresh content='0;url=//canary.invalid/r'>",
    "{{ 191*193 }}{{constructor.constructor('@')()}}",
    "{% load static %}${191*193}#{191*193}<%= 191*193 %>",
    "<b data-canary x-data x-init='@'>x</b>",
    "<b data-canary hx-get=//canary.invalid/h hx-trigger=load hx-on::load='@'>x</b>",
    "\uff1cscript data-canary\uff1e@\uff1c/script\uff1e\uff02\u02ba",
    "\\u003cscript data-canary\\u003e@\\u003c/script\\u003e&lt;img src=x onerror=@&gt;",
]
LEAVE = '<p><a href="{{ unsubscribe_url }}">Leave</a></p>'
WATCH = """
window.__ran = [];
Object.defineProperty(window, "canary", {value: n => window.__ran.push(n), writable: false});
"""
LOOK = """[window.__ran, document.querySelectorAll("[data-canary]").length,
  [...document.querySelectorAll("iframe")].map(f => f.getAttribute("sandbox")),
  document.documentElement.innerText.includes("36863")]"""


def texts() -> list[str]:
    return [payload.replace("@", f"canary({n})") for n, payload in enumerate(PAYLOADS)]


class Watched:
    """A visitor whose page reports whatever ran, asked or opened."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.wrong: list[str] = []
        page = visitor.page
        visitor.context.add_init_script(WATCH)
        page.on("dialog", lambda box: (self.wrong.append(f"a dialog: {page.url}"), box.dismiss()))
        page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if "canary.invalid" in request.url.split("?")[0]:
            self.wrong.append(f"{self.visitor.page.url} asked for {request.url}")

    def open(self, name: str, path: str) -> str:
        """Go there, note what is wrong, and return what the page says."""
        page = self.visitor.go(path)
        ran, made, frames, worked_out = page.evaluate(LOOK)
        for wrong, what in ((ran, "ran"), (made, "made elements"), (worked_out, "worked out")):
            if wrong:
                self.wrong.append(f"{name}: {what} {wrong}")
        for sandbox in frames:
            if sandbox is None or "allow-scripts" in sandbox:
                self.wrong.append(f"{name}: a frame may run programs ({sandbox!r})")
        self.wrong += [f"{name}: refused {line}" for line in self.visitor.refusals()]
        return str(page.content())


def api() -> Callable[[str, Any], None]:
    """Posts as a program with a key does, and nothing may be refused."""
    scopes = ["customers:write", "products:write", "events:write", "segments:write"]
    scopes.append("campaigns:write")
    _key, secret = auth.create_key(name="canary", scopes=scopes, user=factories.user("integrator"))
    client = Client(headers={"Authorization": f"Bearer {secret}"})

    def post(path: str, body: Any) -> None:
        answer = client.post(f"/api/v1/{path}/", json.dumps(body), content_type="application/json")
        assert answer.status_code in (200, 201), answer.content[:2_000]
        for result in answer.json().get("results", ()):
            assert result["status"] not in ("invalid", "quarantined", "error"), result

    return post


def write_everywhere() -> None:
    """By the doors that people and programs use: names, subjects, properties, attributes."""
    written, post = texts(), api()
    at = (factories.now() - timedelta(minutes=5)).isoformat()
    post(
        "customers",
        [
            {"external_id": f"x{n}", "email": f"x{n}@example.com", "first_name": text,
             "attributes": {"note": text, "size": {"said": text}}}
            for n, text in enumerate(written)
        ],
    )  # fmt: skip
    post("products", [{"sku": f"X{n}", "name": text} for n, text in enumerate(written)])
    post(
        "events",
        [
            {"type": "Noted", "at": at, "message_id": f"x{n}", "external_id": f"x{n}",
             "properties": {"note": text, "n": n}}
            for n, text in enumerate(written)
        ],
    )  # fmt: skip
    events.drain()
    author = Client()
    author.force_login(factories.user("marketer"))
    for n, text in enumerate(written):
        rule = {"attribute": "note", "as": "text", "op": "=", "value": text}
        post("segments", {"name": text, "rule": rule})
        post("campaigns", {"name": text})
        mail = {"name": text, "subject": text, "written_in": "html", "mjml": f"<p>{n}</p>{LEAVE}"}
        # What is written in the language of templates is read as such, and named where it is wrong.
        answer = author.post(reverse("campaigns:template-new"), mail)
        if answer.status_code == 422 and ("{{" in text or "{%" in text):
            answer = author.post(
                reverse("campaigns:template-new"), {**mail, "name": text, "subject": "Plain"}
            )
        assert answer.status_code == 302, (text, answer.content.decode()[-3_000:])
    # A mail in HTML is left as it was written: here all of it is hostile. Its links would be
    # refused at the door, so it is put behind it.
    hostile = f"<p>All of it</p>{LEAVE}" + "".join(written)
    factories.template("Raw", written_in="html", mjml=hostile, html=hostile)


def plant_elsewhere() -> None:
    """Into every other field that shows what somebody wrote, each row with another of the forty."""
    written, turn = texts(), 0
    # What was done is only ever added to.
    for text in written:
        AuditEntry.objects.create(actor_label=text, action="thing.done", object_label=text)
    for label, names in WRITTEN.items():
        model = apps.get_model(label)
        if model is AuditEntry:
            continue
        for name in names:
            field: Any = model._meta.get_field(name)
            unique = field.unique or any(
                name in rule.fields
                for rule in model._meta.constraints
                if isinstance(rule, models.UniqueConstraint)
            )
            most = getattr(field, "max_length", None) or 200
            rows = model._default_manager.exclude(**{f"{name}__contains": "canary"})
            for key in rows.values_list("pk", flat=True)[:80]:
                turn += 1
                text = written[turn % len(written)]
                tail = f" {key}" if unique else ""
                rows.filter(pk=key).update(**{name: (text + tail)[:most]})


def test_nothing_that_people_write_ever_runs_and_nothing_of_it_is_lost(
    visit: Visit, shop: factories.Cast
) -> None:
    assert len(set(PAYLOADS)) == 40
    pages = all_pages(shop)
    write_everywhere()
    assert kept() == {
        kind: texts() for kind in ("people", "attributes", "goods", "events", "segments", "sends",
                                   "templates")
    }  # fmt: skip
    plant_elsewhere()
    watched = Watched(visit(factories.user("admin")))
    found = 0
    for name, path in {**pages, **shown()}.items():
        said = watched.open(name, path)
        found += "canary(" in said
    stranger = Watched(visit())
    for name, path in PUBLIC.items():
        stranger.open(name, path)
    assert watched.wrong + stranger.wrong == []
    assert found > 40  # they were there to be seen


def test_a_page_that_escaped_nothing_would_be_noticed(visit: Visit) -> None:
    watched = Watched(visit())
    body = f"<p>Hello</p>{texts()[6]}<iframe srcdoc='x'></iframe><b>36863</b>"
    watched.visitor.page.route(
        "**/careless/", lambda route: route.fulfill(body=body, content_type="text/html")
    )
    watched.open("careless", "/careless/")
    assert [line.partition(": ")[2][:8] for line in watched.wrong] == [
        "ran [6]", "made ele", "worked o", "a frame ",
    ]  # fmt: skip


def kept() -> dict[str, list[str]]:
    """What is stored of the forty, in their order."""
    people = [Customer.objects.get(external_id=f"x{n}") for n in range(len(PAYLOADS))]
    goods = [Product.objects.get(sku=f"X{n}") for n in range(len(PAYLOADS))]
    noted = Event.objects.filter(type="Noted")
    by_number = sorted(noted, key=lambda one: int(one.properties["n"]))
    ours = {"name__in": texts()}
    return {
        "people": [one.first_name for one in people],
        "attributes": [one.attributes["size"]["said"] for one in people],
        "goods": [one.name for one in goods],
        "events": [one.properties["note"] for one in by_number],
        "segments": [one.name for one in Segment.objects.filter(**ours).order_by("pk")],
        "sends": [one.name for one in Campaign.objects.filter(**ours).order_by("pk")],
        "templates": [one.name for one in Template.objects.filter(**ours).order_by("pk")],
    }


def shown() -> dict[str, str]:
    """Lists and details on which all of the forty stand, or the whole of the hostile mail."""
    raw = Template.objects.get(html__contains="All of it")
    person = Customer.objects.filter(external_id="x0").get()
    Customer.objects.filter(pk=person.pk).update(
        attributes={f"a{n}": text for n, text in enumerate(texts())}
    )
    sale = Campaign.objects.latest("id")
    Campaign.objects.filter(pk=sale.pk).update(template=raw)
    return {
        "a person of many attributes": reverse("customer", args=[person.pk]),
        "people, second page": reverse("ingestion:customer-list") + "?q=x",
        "goods": reverse("ingestion:product-list"),
        "content, second page": reverse("campaigns:template-list") + "?page=2",
        "segments, second page": reverse("campaigns:segment-list") + "?page=2",
        "a hostile mail in the editor": reverse("campaigns:template-edit", args=[raw.pk]),
        "a hostile mail by itself": reverse("campaigns:template-mail", args=[raw.pk]),
        "a campaign of a hostile mail": reverse("campaigns:campaign-detail", args=[sale.pk]),
        "its check": reverse("campaigns:campaign-check", args=[sale.pk]),
    }
