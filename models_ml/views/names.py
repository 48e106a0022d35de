"""What models, methods and questions are called on screen."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.db.models import CharField, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from marketing.core import wording
from marketing.core.models import Job
from models_ml import catalog, queries
from models_ml.models import Clustering, Exploration, ModelVersion, Prediction
from models_ml.predictions import gate

TREE_TITLE = gettext_lazy("Orders again within 90 days")
# What the names of versions begin with, and who knows their titles.
PREFIXES: dict[str, Any] = {"": Prediction, "tree:": Exploration, "clusters:": Clustering}
DEMAND_TITLE = gettext_lazy("Demand per product")
TREE_ABOUT = gettext_lazy(
    "A decision tree that puts every customer into one of a few groups and says how likely a person"
    " of that group is to order again within 90 days."
)
METHODS = {
    "tree": gettext_lazy("Decision tree"),
    "forest": gettext_lazy("Random forest"),
    "boosting": gettext_lazy("Gradient boosting"),
    "blend": gettext_lazy("Blend of a line and boosting"),
    "network": gettext_lazy("Neural network"),
    "sequence": gettext_lazy("Transformer over events"),
    "t_linear": gettext_lazy("A model of the mailed and one of the held out (T, logistic)"),
    "t_bent": gettext_lazy("A model of the mailed and one of the held out (T, logistic, bent)"),
    "x_linear": gettext_lazy("Effects imputed from both, learned in turn (X, linear)"),
    "transformed_linear": gettext_lazy("The outcome transformed (linear)"),
    "t_boosting": gettext_lazy("A model of the mailed and one of the held out (T, boosting)"),
    "hours": gettext_lazy("Own hours, drawn to everybody's"),
    "oddness": gettext_lazy("Isolation forest, and the largest distance in one fact"),
    "lifetime": gettext_lazy("Laws of buying (BG/NBD, Pareto/NBD, Gamma-Gamma)"),
}


class Known(NamedTuple):
    """What a model is called, how it learns, and what it is held against, said when shown; and
    what starts its training for somebody."""

    title: Any
    method: Any
    baseline: Any
    train: Callable[..., Job]


# Of models that other apps train; those apps put them here.
OTHERS: dict[str, Known] = {}


def title(name: str) -> str:
    """What a model is called on screen."""
    return titles([name])[name]


def titles(names: Iterable[str]) -> dict[str, str]:
    """Name → title, with one question to the database at most."""
    wanted = set(names)
    found = {name: str(catalog.BY_NAME[name].title) for name in wanted & set(catalog.BY_NAME)}
    if queries.REPEAT in wanted:
        found[queries.REPEAT] = str(TREE_TITLE)
    if "demand" in wanted:
        found["demand"] = str(DEMAND_TITLE)
    found |= {name: str(OTHERS[name].title) for name in wanted & set(OTHERS)}
    if rest := wanted - set(found):
        rows = [
            made.objects.annotate(version=Concat(Value(prefix), "key", output_field=CharField()))
            .filter(version__in=rest)
            .order_by()
            .values_list("version", "title")
            for prefix, made in PREFIXES.items()
        ]
        asked = {name: wording.in_words(title) for name, title in rows[0].union(*rows[1:])}
        found |= {name: name.replace("_", " ") for name in rest} | asked
    return found


def about(name: str) -> str:
    if name == queries.REPEAT:
        return str(TREE_ABOUT)
    if name == "demand":
        return _("How much of each product will be sold in the next weeks, with bounds.")
    entry = catalog.BY_NAME.get(name)
    return str(entry.about) if entry else ""


def learns_by(version: ModelVersion) -> str:
    """The method of a version."""
    known = OTHERS.get(version.name)
    return str(known.method) if known else version.algorithm


def held_against(version: ModelVersion) -> str:
    """The baseline of a version of the tree, of an engine, or of another app's model."""
    if known := OTHERS.get(version.name):
        return str(known.baseline)
    if version.baseline.get("rule"):
        return _("Whoever ordered last orders next (ranking), the average chance (chances)")
    return _("Popularity: the same products for everyone")


def method(name: str, kind: str = "chance") -> str:
    """An estimator in words: the same line is logistic for chances and linear for amounts."""
    if name == "linear":
        return _("Logistic regression") if kind == "chance" else _("Linear regression")
    return str(METHODS.get(name, name))


def rule(name: str) -> str:
    """A baseline as the beginning of a line."""
    text = gate.rule_name(name)
    return text[:1].upper() + text[1:]


def question(prediction: Prediction) -> str:
    """What a prediction asks, as one sentence."""
    days = prediction.horizon_days
    what = _what(prediction.target, days)
    whom = _whom(prediction)
    return _("%(what)s Asked about %(whom)s.") % {"what": what, "whom": whom}


def _what(target: dict[str, Any], days: int) -> str:
    within = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    known = {
        "order": _("The chance to order within %(within)s."),
        "no_order": _("The chance to order nothing for %(within)s."),
        "spend": _("How much money somebody spends within %(within)s."),
        "order_value": _("How much an order of the next %(within)s is worth."),
        "next_order": _("When the next order comes, looking %(within)s ahead."),
        "send_hour": _("The hour of their own day at which somebody answers mails."),
        "unusual": _("How unlike everybody else somebody is, and in which facts."),
    }
    kind = str(target.get("type", ""))
    if kind in known:
        return known[kind] % {"within": within}
    if kind == "spend_over":
        return _("The chance to spend more than %(amount)s within %(within)s.") % {
            "amount": wording.trimmed(target.get("amount", 0), 2),
            "within": within,
        }
    if kind in ("event", "no_event"):
        text = (
            _("The chance of “%(event)s” within %(within)s.")
            if kind == "event"
            else _("The chance that “%(event)s” does not happen for %(within)s.")
        )
        return text % {"event": target.get("event", ""), "within": within}
    if kind == "answer":
        text = (
            _("The chance to click on a mail within %(within)s of its sending.")
            if target.get("by", "click") == "click"
            else _("The chance to open a mail within %(within)s of its sending.")
        )
        return text % {"within": within}
    if kind == "moved":
        text = (
            _("How much likelier a mail makes “%(event)s” within %(within)s.")
            if target.get("by") == "event"
            else _("How much likelier a mail makes an order within %(within)s.")
        )
        return text % {"within": within, "event": target.get("event", "")}
    if kind == "attribute":
        return _("The chance that “%(name)s” is %(op)s %(value)s.") % {
            "name": target.get("attribute", ""),
            "op": target.get("op", "="),
            "value": target.get("value", ""),
        }
    return _("A number about each person, looking %(within)s ahead.") % {"within": within}


def _whom(prediction: Prediction) -> str:
    population = prediction.population or {}
    kind = prediction.target.get("type")
    if kind in ("answer", "send_hour"):
        return _("people who get mail")
    if kind == "attribute":
        return _("everyone of whom it is known or asked")
    within = population.get("ordered_within_days")
    least = int(population.get("least_orders", 1) or 1)
    if population.get("who", "buyers") == "everyone":
        if within:
            return _("everyone who ordered in the last %(days)d days") % {"days": within}
        return _("everyone")
    if within and least > 1:
        return _("people with at least %(n)d orders, one of them in the last %(days)d days") % {
            "n": least,
            "days": within,
        }
    if within:
        return _("people who ordered in the last %(days)d days") % {"days": within}
    if least > 1:
        return _("people with at least %(n)d orders") % {"n": least}
    return _("people who have bought before")


def left_out(why: str) -> str:
    """Why a column was not learned from."""
    return {
        "constant": _("the same for everybody"),
        "missing": _("empty for everybody"),
        "all_missing": _("empty for everybody"),
        "target": _("it is what is asked"),
        "learned_later": _("for many people it was learned only after the moment"),
        "moment": _("it only tells which moment a row is from"),
        "identifier": _("nearly every person has a value of their own"),
        "leak": _("it nearly tells the answer by itself"),
    }.get(why, why.replace("_", " "))


def duel(found: Any) -> dict[str, Any] | None:
    """How a version did beside the one that was in use when it was trained, in words."""
    if not isinstance(found, dict):
        return None
    if "why" in found:
        text = {
            "damaged": _("The files of that version are damaged, so it could not be asked."),
            "feature_gone": _("That version reads what is no longer worked out."),
            "other_question": _("That version answers another question."),
        }.get(found["why"], _("That version says nothing of the people kept back."))
        return {"version": found["version"], "text": text}
    gain = found.get("gain") or {}
    if any(gain.get(name) is None for name in ("value", "low", "high")):
        return None
    points = found.get("measure") == "auc"
    shown = {
        name: f"{gain[name]:+.4f}" if points else f"{100 * gain[name]:+.1f} %"
        for name in ("value", "low", "high")
    }
    text = _("%(value)s on the same people (%(low)s to %(high)s), each read in its own columns")
    return {"version": found["version"], "text": text % shown}
