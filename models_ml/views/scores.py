"""The bands of scores in words a marketer would use."""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core import brand, wording
from models_ml.insights import bands
from models_ml.insights.bands import AXES
from models_ml.models import Yardstick

NAMES = {axis.key: axis.label for axis in AXES}


def applied() -> Mapping[str, Sequence[float]]:
    """The limits that the scores were made with; empty before any were."""
    row = Yardstick.objects.filter(kind=bands.KIND).exclude(applied={}).first()
    return (row.applied.get("limits") or {}) if row else {}


def in_words(axis: str, limits: Mapping[str, Sequence[float]]) -> dict[int, str]:
    """What earns each score, as a person would say it; "–" for a band nobody can be in."""
    edges = limits.get(axis) or []
    if len(edges) != 4:
        return {}
    if axis == "r":
        low = [0, *(edge + 1 for edge in edges)]
        high: list[float | None] = [*edges, None]
        return {5 - n: _days(low[n], high[n]) for n in range(5)}
    step = 1 if axis == "f" else 0.01
    low = [1 if axis == "f" else 0, *edges]
    high = [*(edge - step for edge in edges), None]
    say = _orders if axis == "f" else _money
    return {1 + n: say(low[n], high[n], n == 0) for n in range(5)}


def _days(low: float, high: float | None) -> str:
    if high is None:
        return _("%(n)s days or more") % {"n": wording.comma(low)}
    if low > high:
        return wording.DASH
    if low == 0:
        return _("up to %(n)s days") % {"n": wording.comma(high)}
    return _("%(low)s–%(high)s days") % {"low": wording.comma(low), "high": wording.comma(high)}


def _orders(low: float, high: float | None, _first: bool) -> str:
    if high is None:
        return _("%(n)s orders or more") % {"n": wording.comma(low)}
    if low > high:
        return wording.DASH
    if low == high:
        return ngettext("%(n)s order", "%(n)s orders", int(low)) % {"n": wording.comma(low)}
    return _("%(low)s–%(high)s orders") % {"low": wording.comma(low), "high": wording.comma(high)}


def _money(low: float, high: float | None, first: bool) -> str:
    said = {
        "low": wording.money0(low, brand.now().currency),
        "high": wording.money0(high, brand.now().currency),
    }
    if high is None:
        return _("from %(low)s") % said
    if first:
        return _("under %(high)s") % said
    return wording.DASH if low > high else _("%(low)s–%(high)s") % said
