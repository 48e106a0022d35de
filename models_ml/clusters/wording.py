"""Groups in words: what they are called, and what sets them apart from everyone."""

from collections.abc import Iterable
from typing import Any

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from marketing.core import brand, wording
from models_ml.clusters import facts
from models_ml.models import Clustering, ModelVersion

# What a group is called that has more of a fact than everyone, or less.
SIDES: dict[str, tuple[str | Promise, str | Promise]] = {
    "recency_days": (gettext_lazy("long away"), gettext_lazy("bought lately")),
    "orders": (gettext_lazy("order often"), gettext_lazy("few orders")),
    "units": (gettext_lazy("buy many units"), gettext_lazy("buy few units")),
    "revenue": (gettext_lazy("big spenders"), gettext_lazy("small spenders")),
    "avg_order_value": (gettext_lazy("large orders"), gettext_lazy("small orders")),
    "tenure_days": (gettext_lazy("long known"), pgettext_lazy("group", "new")),
    "interval_days_mean": (gettext_lazy("long between orders"), gettext_lazy("soon back")),
    "products": (gettext_lazy("wide choice"), gettext_lazy("narrow choice")),
    "return_rate": (gettext_lazy("return much"), gettext_lazy("return little")),
    "trend": (gettext_lazy("ordering more"), gettext_lazy("ordering less")),
    "visits_90d": (gettext_lazy("visit often"), gettext_lazy("hardly visit")),
    "views_90d": (gettext_lazy("look at much"), gettext_lazy("look at little")),
    "carts_90d": (gettext_lazy("fill carts"), gettext_lazy("hardly fill carts")),
    "clicks_90d": (gettext_lazy("click in mails"), gettext_lazy("hardly click in mails")),
}
# What a group does so many times as much as everyone.
TIMES: dict[str, str | Promise] = {
    "orders": gettext_lazy("orders %(times)s times as often"),
    "revenue": gettext_lazy("spends %(times)s times as much"),
    "avg_order_value": gettext_lazy("spends %(times)s times as much per order"),
    "units": gettext_lazy("buys %(times)s times as many units"),
    "products": gettext_lazy("buys %(times)s times as many different products"),
    "visits_90d": gettext_lazy("visits %(times)s times as often"),
    "views_90d": gettext_lazy("looks at %(times)s times as many products"),
    "carts_90d": gettext_lazy("is %(times)s times as often at the cart"),
}
MORE = 1.1


def fact(name: str) -> str:
    """A fact as the start of a line."""
    return str(capfirst(str(facts.OFFERED[name].meaning))) if name in facts.OFFERED else name


def value(name: str, number: float) -> str:
    """A value of a fact as people write it."""
    unit = facts.OFFERED[name].unit
    if unit == "money":
        return wording.money0(number, brand.now().currency)
    if unit == "share":
        return wording.pct(number, 0)
    if unit == "days":
        return _("%(days)s days") % {"days": wording.decimal(number, 0)}
    return wording.decimal(number, 1)


def apart(trait: dict[str, Any]) -> str:
    """One thing that sets a group apart, such as “orders 3.1 times as often”."""
    name, ours, all_ = trait["fact"], trait["value"], trait["everyone"]
    times = ours / all_ if all_ > 0 and ours > 0 else None
    if name in TIMES and times is not None and times >= MORE:
        return str(TIMES[name]) % {"times": wording.decimal(times, 1)}
    return _("%(fact)s: %(value)s, everyone %(everyone)s") % {
        "fact": facts.OFFERED[name].meaning,
        "value": value(name, ours),
        "everyone": value(name, all_),
    }


def side(name: str, which: str) -> str:
    high, low = SIDES.get(name, (None, None))
    if high is not None and low is not None:
        return str(high if which == "high" else low)
    more = _("much: %(fact)s") if which == "high" else _("little: %(fact)s")
    return more % {"fact": facts.OFFERED[name].meaning}


def suggested(groups: list[dict[str, Any]]) -> dict[int, str]:
    """A plain name for each group, no two alike: two things that set it apart, else a third."""
    found: dict[int, str] = {}
    for group in groups:
        sides = [side(name, which) for name, which in group["suggested"] if name in facts.OFFERED]
        tries = [", ".join(sides[:2]), ", ".join(sides), ""]
        name = next(t for t in tries if capfirst(t) not in found.values() or not t)
        if not name:
            name = _("Like everyone") if not sides else ", ".join(sides[:2])
            if capfirst(name) in found.values():
                name = _("%(name)s (group %(number)d)") % {"name": name, "number": group["number"]}
        found[group["number"]] = str(capfirst(name))
    return found


def names_of(clustering: Clustering, version: ModelVersion | None) -> dict[int, str]:
    """What each group is called: as somebody named it, else as suggested."""
    found = suggested(version.details.get("groups", [])) if version else {}
    return found | {int(number): name for number, name in clustering.names.items()}


def group_names(*, keys: Iterable[str]) -> dict[Any, str]:
    """“key/number” → the name of the group, for sentences of rules."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = list(Clustering.objects.filter(key__in=wanted))
    live = {
        version.name: version
        for version in ModelVersion.objects.filter(
            name__in=[row.name for row in rows], state=ModelVersion.State.LIVE
        )
    }
    found: dict[Any, str] = {}
    for row in rows:
        names = names_of(row, live.get(row.name))
        for number in range(1, row.newest + 1):
            gone = _("Group %(number)d") % {"number": number}
            found[f"{row.key}/{number}"] = names.get(number, gone)
    return found
