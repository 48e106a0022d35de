"""How fast mails are rendered, beside its limit in the same run.

Both sides of each ratio run in turn, so that a busy machine slows them alike.
"""

import time
from collections.abc import Callable
from typing import Any

from campaigns.content.saving import STARTER
from campaigns.messaging import addresses, context, layout, rendering
from models_ml.benchmarks.data import pace

RUNS = 3
RENDERED = {"small": 5_000, "full": 50_000}
SUBJECT = '{{ first_name|default("Hello") }}, picked for you'


def starter() -> tuple[str, str]:
    html = layout.compile_mjml(STARTER.read_text("utf-8"))
    return html, layout.text_from(html)


def _values(number: int) -> dict[str, Any]:
    products = [
        {
            "name": f"White hanging heart {number}-{n}",
            "sku": f"S{n}",
            "price": "£2.95",
            "reason": "Because you bought Regency cakestand",
            "url": f"https://shop.example/products/{n}",
            "initial": "W",
            "colour": context.TILES[n],
        }
        for n in range(4)
    ]
    return rendering.clean(
        {
            "first_name": f"Person{number}",
            "orders": number % 7,
            "products": products,
            "shop_name": "Online Retail",
            "shop_url": "https://shop.example",
            "unsubscribe_url": "https://shop.example/u/x",
        }
    )


def mail_render(size: str = "small") -> dict[str, Any]:
    """Personalised HTML and text with signed links, against the same template compiled bare."""
    n = RENDERED[size]
    html, text = starter()
    bare = rendering.Compiled(SUBJECT, html, text)
    tracked = rendering.Compiled(SUBJECT, html, text, addresses.signer())
    people = [_values(number) for number in range(200)]
    keys = [f"{number:032x}" for number in range(200)]

    def once(with_links: bool) -> float:
        began = time.perf_counter()
        for number in range(n):
            values = people[number % 200]
            if with_links:
                tracked.render({**values, **addresses.of_message(keys[number % 200])})
            else:
                bare.render(values)
        return n / (time.perf_counter() - began)

    ours, limit = [], []
    for _round in range(RUNS):
        limit.append(once(False))
        ours.append(once(True))
    return pace("mail.render", "mails/s", n, ours, limit, "compiled template alone")


WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "mail.render": mail_render,
}
