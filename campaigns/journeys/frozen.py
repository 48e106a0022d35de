"""What the messages of a version say, kept with its run as it was at publishing."""

import re
from html import escape
from types import SimpleNamespace
from typing import Any

from campaigns.journeys.graph import Graph, Node
from campaigns.messaging import contents as messaging
from campaigns.messaging import tags
from campaigns.models import Template
from marketing.core import brand

VARIANT = "a"
_SAID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
# What a call to another system says where its author said nothing.
BODY = '{"person": "{{ external_id }}", "email": "{{ email }}", "step": "%s"}'


def contents(graph: Graph, name: str) -> dict[str, Any]:
    """The contents of every step that sends, by their keys. `name` is the journey's."""
    wanted = {n.settings["template"] for n in graph.nodes.values() if n.kind == "send"}
    templates = Template.objects.in_bulk(wanted)
    return {
        messaging.key_of(node.id, VARIANT): content(node, templates.get, name)
        for node in graph.nodes.values()
        if node.kind in ("send", "webhook", "notify")
    }


def content(node: Node, template_of: Any, name: str = "") -> dict[str, Any]:
    """The content of one step."""
    said = node.settings
    sender = {
        "from_name": said.get("from_name") or brand.now().sender_name,
        "from_email": said.get("from_email") or brand.now().sender_email,
        "reply_to": said.get("reply_to") or "",
    }
    if node.kind == "send":
        template = template_of(said["template"])
        return messaging.freeze(
            template=template,
            utm=_utm(node, name or template.name, node.label or template.name),
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


def _utm(node: Node, name: str, step: str) -> dict[str, str] | None:
    said = {part: node.settings.get(f"utm_{part}") for part in tags.NAMES}
    own = {part: str(text or "").strip()[: tags.LONGEST] for part, text in said.items()}
    return messaging.utm_of(
        own={**own, tags.OFF: bool(node.settings.get("plain_links"))},
        channel=node.settings["channel"],
        name=name,
        content=step,
    )


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
