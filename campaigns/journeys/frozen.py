"""What the messages of a version say, kept with its run as it was at publishing."""

import re
from html import escape
from types import SimpleNamespace
from typing import Any

from django.conf import settings

from campaigns.journeys.graph import Graph, Node
from campaigns.messaging import contents as messaging
from campaigns.models import Template

VARIANT = "a"
_SAID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
# What a call to another system says where its author said nothing.
BODY = '{"person": "{{ external_id }}", "email": "{{ email }}", "step": "%s"}'


def contents(graph: Graph) -> dict[str, Any]:
    """The contents of every step that sends, by their keys."""
    wanted = {n.settings["template"] for n in graph.nodes.values() if n.kind == "send"}
    templates = Template.objects.in_bulk(wanted)
    return {
        messaging.key_of(node.id, VARIANT): content(node, templates.get)
        for node in graph.nodes.values()
        if node.kind in ("send", "webhook", "notify")
    }


def content(node: Node, template_of: Any) -> dict[str, Any]:
    """The content of one step."""
    said = node.settings
    sender = {
        "from_name": said.get("from_name") or settings.BUSINESS_NAME,
        "from_email": said.get("from_email") or str(settings.DEFAULT_FROM_EMAIL),
        "reply_to": said.get("reply_to") or "",
    }
    if node.kind == "send":
        return messaging.freeze(
            template=template_of(said["template"]),
            sender=sender,
            channel=said["channel"],
            channel_id=said["channel_id"],
        )
    if node.kind == "webhook":
        call = SimpleNamespace(
            pk=None,
            name=node.label or "webhook",
            version=1,
            parts={"url": said["url"], "body": said["body"] or BODY % node.id},
        )
        return messaging.freeze(
            template=call, sender=sender, channel="webhook", channel_id=said["channel_id"]
        )
    return messaging.freeze(template=word(node), sender=sender, purpose=messaging.STAFF)


def word(node: Node) -> SimpleNamespace:
    """The mail to colleagues, as a template."""
    text = node.settings["text"] or node.settings["subject"] or ""
    return SimpleNamespace(
        pk=None,
        name=node.label or "notify",
        version=1,
        subject=node.settings["subject"],
        html="<pre>" + _plain(text) + "</pre>",
        text=text,
    )


def _plain(text: str) -> str:
    """Text as HTML, with what stands for values left as it is."""
    parts = _SAID.split(text)
    return "".join(part if n % 2 else escape(part) for n, part in enumerate(parts))
