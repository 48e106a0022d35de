"""Why a product was picked: a code stored with the pick, said in words when shown."""

from typing import Any

from django.utils.translation import gettext as _

NONE, BECAUSE, POPULAR, TASTE = 0, 1, 2, 3
CODES = {BECAUSE: "because", POPULAR: "popular", TASTE: "taste"}


def sentence(reason: dict[str, Any]) -> str:
    """The reason in the reader's language; "" when none was stored."""
    code = reason.get("code")
    if code == "because":
        return _("Because you bought %(product)s") % {"product": reason.get("name", "")}
    if code == "popular":
        return _("Popular with many people lately")
    if code == "taste":
        return _("People with a similar basket buy this")
    return ""
