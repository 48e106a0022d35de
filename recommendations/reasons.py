"""Why a product was picked: a code stored with the pick, said in words when shown."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

NONE, BECAUSE, POPULAR, TASTE, NEW = 0, 1, 2, 3, 4
CODES = {BECAUSE: "because", POPULAR: "popular", TASTE: "taste", NEW: "new"}
# Every code that an answer may hold.
ALL = (
    "because", "taste", "popular", "new", "category", "seen", "bought", "together", "next", "again",
)  # fmt: skip
# Who gives a pick, whichever engine the others of its set are from.
GIVES = {"new": "content", "popular": "popular"}


def engine_of(code: str, usual: str | None) -> str:
    """The engine that gave a pick of a set made by the `usual` one."""
    return GIVES.get(code, usual or "popular")


def told(why: int, product_id: int | None, name: str | None) -> dict[str, Any]:
    """A stored code with the product it names, as that is called now, in the form of `sentence`.

    Of a product that is gone (None) nothing is told.
    """
    if name is None:
        return {"code": CODES[TASTE] if why == BECAUSE else CODES.get(why, "")}
    return {"code": CODES.get(why, ""), "product_id": product_id, "name": name}


def sentence(reason: Mapping[str, Any]) -> str:
    """The reason in the reader's language; "" when none was stored."""
    code = reason.get("code")
    if code == "because":
        return _("Because you bought %(product)s") % {"product": reason.get("name", "")}
    if code == "popular":
        return _("Popular with many people lately")
    if code == "new":
        if not reason.get("name"):
            return _("New in the shop")
        return _("New, like %(product)s") % {"product": reason["name"]}
    if code == "taste":
        return _("People with a similar basket buy this")
    if code == "category":
        return _("Popular in %(category)s") % {"category": reason.get("name", "")}
    if code == "again":
        return _("You buy this about every %(n)d days") % {"n": reason.get("count", 0)}
    return _of_link(str(code), str(reason.get("name", "")), int(reason.get("count") or 0))


def _of_link(code: str, product: str, n: int) -> str:
    words = {"product": product, "n": n}
    if code == "seen":
        return (
            ngettext(
                "Looked at with %(product)s in %(n)d visit",
                "Looked at with %(product)s in %(n)d visits",
                n,
            )
            % words
        )
    if code == "bought":
        return (
            ngettext(
                "%(n)d person bought this and %(product)s",
                "%(n)d people bought this and %(product)s",
                n,
            )
            % words
        )
    if code == "together":
        return (
            ngettext(
                "Bought together with %(product)s in %(n)d order",
                "Bought together with %(product)s in %(n)d orders",
                n,
            )
            % words
        )
    if code == "next":
        return (
            ngettext(
                "Bought next after %(product)s %(n)d time",
                "Bought next after %(product)s %(n)d times",
                n,
            )
            % words
        )
    return ""
