"""What to copy into a page or a program, with the source's own key in it."""

from typing import NamedTuple

from django.utils.translation import gettext as _


class Snippet(NamedTuple):
    """Something to copy. `before` says what to do with it, `after` what follows."""

    key: str
    label: str
    language: str
    code: str
    before: str
    after: str = ""


def of(*, key: str, host: str, version: str, integrity: str) -> list[Snippet]:
    """The snippets of a source: for pages, and for programs in the usual languages."""
    return [
        Snippet(
            "browser",
            _("Website"),
            "html",
            _BROWSER.format(host=host, key=key),
            _("Put this into the head of every page of your shop."),
            _(
                "Page views then come by themselves. Nothing is stored or sent before somebody"
                ' agrees: call perennial("consent", true) from your consent banner.'
            ),
        ),
        Snippet(
            "products",
            _("Products and cart"),
            "html",
            _PRODUCTS,
            _("Mark products and buttons; views and clicks are sent without further code."),
            _("The same from a script, and what else a page may tell."),
        ),
        Snippet(
            "pinned",
            _("Pinned version"),
            "html",
            _PINNED.format(host=host, key=key, version=version, integrity=integrity),
            _("For shops with a strict policy: this file never changes, and no inline script."),
            _(
                "A newer tracker then needs a new tag. Allow the address in script-src and"
                " in connect-src."
            ),
        ),
        Snippet(
            "python",
            "Python",
            "python",
            _PYTHON.format(host=host, key=key),
            _("Install the client: pip install segment-analytics-python"),
            _("It sends in the background, in batches, and again when the network fails."),
        ),
        Snippet(
            "node",
            "Node",
            "javascript",
            _NODE.format(host=host, key=key),
            _("Install the client: npm install @segment/analytics-node"),
            _("Any other client of the Segment tracking API works too: change its host."),
        ),
        Snippet(
            "curl",
            "curl",
            "shell",
            _CURL.format(host=host, key=key),
            _("Send one event now, to see that it works."),
            _('The answer is {"success":true} once the event is on disk.'),
        ),
    ]


_BROWSER = """\
<script>
  window.perennial = window.perennial || function () {{
    (perennial.q = perennial.q || []).push(arguments);
  }};
</script>
<script async src="{host}/t.js" data-key="{key}"></script>"""

_PRODUCTS = """\
<div data-perennial-view="TEAPOT-1" data-perennial-name="Teapot"
     data-perennial-price="24.50" data-perennial-currency="GBP">
  <button data-perennial-cart="add">Add to cart</button>
</div>

<script>
  perennial("identify", "customer-17", {{ email: "ada@example.com", firstName: "Ada" }});
  perennial("product", {{ sku: "TEAPOT-1", price: 24.5, currency: "GBP" }});
  perennial("cart", "add", {{ sku: "TEAPOT-1", quantity: 2 }});
  perennial("search", "teapots");
  perennial("order", {{ order_id: "1001", currency: "GBP", products: [
    {{ sku: "TEAPOT-1", quantity: 2, price: 24.5 }}
  ] }});
  perennial("track", "Newsletter Signed Up", {{ place: "footer" }});
</script>""".format()

_PINNED = """\
<script async src="{host}/t/{version}.js" data-key="{key}"
        integrity="{integrity}"
        crossorigin="anonymous"></script>"""

_PYTHON = """\
import segment.analytics as analytics

analytics.write_key = "{key}"
analytics.host = "{host}"

analytics.identify("customer-17", {{"email": "ada@example.com", "firstName": "Ada"}})
analytics.track("customer-17", "Product Viewed", {{"sku": "TEAPOT-1", "price": 24.5}})
analytics.flush()"""

_NODE = """\
import {{ Analytics }} from "@segment/analytics-node";

const analytics = new Analytics({{
  writeKey: "{key}",
  host: "{host}",
}});

analytics.identify({{ userId: "customer-17", traits: {{ email: "ada@example.com" }} }});
analytics.track({{
  userId: "customer-17",
  event: "Product Viewed",
  properties: {{ sku: "TEAPOT-1", price: 24.5 }},
}});
await analytics.closeAndFlush();"""

_CURL = """\
curl {host}/v1/track \\
  -u "{key}:" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "userId": "customer-17",
    "event": "Product Viewed",
    "properties": {{"sku": "TEAPOT-1", "price": 24.5}}
  }}'"""
