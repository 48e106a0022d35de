"""Who may speak for a prediction: better than its dull rule, and not worse than who speaks now."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core import brand, wording
from models_ml import registry
from models_ml.algorithms.classify import Interval
from models_ml.models import ModelVersion

State = ModelVersion.State
# How much worse than the version in use a new one may turn out to be within its interval.
MARGIN = {"chance": 0.01, "amount": 0.02}


@dataclass(frozen=True)
class Duel:
    """Challenger against champion on the same people, none of whom either had learned from then.

    `gain` is in AUC for a chance, else in the share of the champion's error (RMSE, or the days a
    date is off).
    """

    champion: ModelVersion
    gain: Interval
    measure: str

    def as_json(self) -> dict[str, Any]:
        return {
            "version": self.champion.version,
            "measure": self.measure,
            "gain": self.gain.as_json(),
        }


@dataclass(frozen=True)
class NoDuel:
    """The version in use could not be asked about the people kept back, for the reason `why`.

    damaged: its files; feature_gone: it reads what is no longer worked out; other_question: it
    answers another one; silent: it says nothing of enough of these people, or its kind of model
    cannot be asked about the past. The newer version has its baseline alone to beat.
    """

    champion: ModelVersion
    why: str

    def as_json(self) -> dict[str, Any]:
        return {"version": self.champion.version, "why": self.why}


def decide(
    *,
    version: ModelVersion,
    kind: str,
    ok: bool,
    code: str,
    facts: dict[str, Any],
    duel: Duel | NoDuel | None = None,
) -> ModelVersion:
    """Publish the candidate, keep it beside the version in use, or refuse it with the reason."""
    if not ok:
        return registry.refuse(
            version=version, why=lambda: why_refused(code=code, facts=facts, kind=kind)
        )
    if isinstance(duel, Duel) and not holds(duel, kind):
        return _keep(version, duel)
    return registry.promote(version=version)


def holds(duel: Duel, kind: str) -> bool:
    """Whether the challenger is surely better, or at least not much worse on newer data."""
    if duel.champion.forgotten:
        return duel.gain.high > 0
    return duel.gain.low > -MARGIN.get(kind, 0.01) or duel.gain.value >= 0


def _keep(version: ModelVersion, duel: Duel) -> ModelVersion:
    figures = {"champion": duel.champion.version} | _told(
        duel.gain.as_json(), _points if duel.measure == "auc" else _share
    )

    def why() -> str:
        return (
            _(
                "Version %(champion)d stays in use: on the same people this one is no better"
                " (difference %(gain)s, 95%% interval %(low)s to %(high)s)."
            )
            % figures
        )

    registry.explain(version=version, why=why)
    return version


def _told(interval: dict[str, float], tell: Callable[[float], str]) -> dict[str, str]:
    names = (("gain", "value"), ("low", "low"), ("high", "high"))
    return {name: tell(interval.get(key, 0.0)) for name, key in names}


def _points(value: float) -> str:
    return f"{value:+.4f}"


def _share(value: float) -> str:
    return f"{100 * value:+.1f}%"


def _money(value: float) -> str:
    return ("+" if value > 0 else "") + wording.money(value, brand.now().currency)


def _days(value: float) -> str:
    return _("%(n)s days") % {"n": f"{value:+.1f}"}


_TELL: dict[str, Callable[[float], str]] = {"amount": _money, "date": _days}


def why_refused(*, code: str, facts: dict[str, Any], kind: str = "chance") -> str:
    """Why a candidate is not published, and which data would help.

    The difference is told as what it is for this kind of answer: points of AUC, money, or days.
    """
    if code == "unstable":
        return _(
            "Two halves of the people tell different people apart (rank correlation"
            " %(agreement).2f, %(needed_agreement).2f is needed). More people, or facts in which"
            " they differ, would help."
        ) % {name: facts[name] for name in ("agreement", "needed_agreement")}
    if code in ("no_effect", "same_for_all", "response_better"):
        return why_unmoved(code=code, facts=facts)
    if code == "worse_than_base_rate":
        return _(
            "Its chances are no better than telling everyone the average (log loss"
            " %(loss).4f against %(base).4f). More kinds of data about people would help: visits,"
            " answers to mails, properties."
        ) % {"loss": facts.get("log_loss", 0.0), "base": facts.get("log_loss_base", 0.0)}
    text = _(
        "On outcomes it had not seen it was not reliably better than the simple rule “%(rule)s”"
        " (difference %(gain)s, 95%% interval %(low)s to %(high)s)."
    ) % (
        {"rule": rule_name(str(facts.get("baseline", "")))}
        | _told(facts.get("gain") or {}, _TELL.get(kind, _points))
    )
    return f"{text} {_what_helps(facts)}"


def _what_helps(facts: dict[str, Any]) -> str:
    needed, people = facts.get("people_needed"), int(facts.get("people", 0))
    if needed and people < needed <= 50 * max(people, 1):
        return ngettext(
            "If it is as good as it looks, about %(needed)d person with a known outcome would"
            " prove it; there were %(people)d.",
            "If it is as good as it looks, about %(needed)d people with a known outcome would"
            " prove it; there were %(people)d.",
            needed,
        ) % {"needed": needed, "people": people}
    return _(
        "More people would hardly change that; other data would: visits of your site, answers to"
        " mails, or properties of people."
    )


def why_unmoved(*, code: str, facts: dict[str, Any]) -> str:
    """Why it is not told whom a mail moves, and how many would have to be held out to tell."""
    held = int(facts.get("held_out", 0))
    needed = int(facts.get("needed_ranking") or 0)
    if code == "response_better":
        return _(
            "It finds whom the mail moves, but the simple rule “%(rule)s” finds more of them"
            " (difference %(gain)+.2f per 1,000 people). Ask for that chance instead."
        ) % {"rule": rule_name("response"), "gain": 1_000 * facts["lead"]["value"]}
    if code == "same_for_all":
        text = _(
            "The mail makes a difference (%(mean)+.1f points, 95%% interval %(low)+.1f to"
            " %(high)+.1f), but nothing known of people tells whom it moves more."
        )
        said = text % _times(100, mean=facts["mean"])
    else:
        text = _(
            "No effect found: what choosing people gains per 1,000 of them lies between %(low)+.2f"
            " and %(high)+.2f, which covers zero."
        )
        said = text % _times(1_000, mean=facts["qini"])
        needed = max(needed, int(facts.get("needed_mean") or 0))
    return f"{said} {_held_out_needed(held, needed)}"


def _times(factor: float, *, mean: dict[str, float]) -> dict[str, float]:
    return {
        name: factor * mean[key]
        for name, key in (("mean", "value"), ("low", "low"), ("high", "high"))
    }


def _held_out_needed(held: int, needed: int) -> str:
    if needed and held < needed <= 50 * max(held, 1):
        return ngettext(
            "If it is as it looks, about %(needed)d person held out would prove it; there were"
            " %(held)d.",
            "If it is as it looks, about %(needed)d people held out would prove it; there were"
            " %(held)d.",
            needed,
        ) % {"needed": needed, "held": held}
    return _(
        "%(held)d people were held out. Holding out more would hardly change that; another mail, or"
        " more known about people, might."
    ) % {"held": held}


def rule_name(name: str) -> str:
    """A baseline in words."""
    return {
        "recency": _("whoever ordered last orders next"),
        "last_value": _("everyone spends as before"),
        "own_average": _("everyone orders as much as usual"),
        "own_gap": _("everyone keeps their usual time between orders"),
        "event_recency": _("whoever did it last does it next"),
        "answered_before": _("whoever answered before answers again"),
        "base_rate": _("the same chance for everyone"),
        "seasonal": _("as a season ago, or as last time"),
        "everyones_hour": _("everybody's hour for everyone"),
        "farthest": _("whoever lies farthest out in one fact"),
        "response": _("mail whoever is most likely to do it"),
    }.get(name, name)


def why_unfit(*, code: str, facts: dict[str, Any]) -> tuple[str, str]:
    """What kept anything from being learned, and what to do: for a person to read."""
    people, yes = int(facts.get("people", 0)), int(facts.get("yes", 0))
    needed = int(facts.get("needed", 0))
    more = _("Import more history, choose a longer time to look ahead, or ask about more people.")
    if code == "leak":
        names = ", ".join(str(one["column"]) for one in facts.get("columns", ()))
        return (
            _("These columns alone nearly tell the answer: %(names)s.") % {"names": names},
            _(
                "Mostly that is the answer itself, written down later. Leave them out, or allow"
                " them if you know that they are known beforehand."
            ),
        )
    if code == "one_class":
        text = (
            _("Of %(people)d people nobody did it.") if not yes else _("All %(people)d people did.")
        )
        return text % {"people": people}, _(
            "There is nothing to tell apart. Check the target, or choose another time to look"
            " ahead."
        )
    if code == "too_few_people":
        return (
            _("There are %(people)d people to learn from; %(needed)d are needed.")
            % {"people": people, "needed": needed},
            more,
        )
    if code in ("too_few_each", "too_few_later"):
        return (
            _("Of %(people)d people %(yes)d did it; at least %(needed)d of each are needed.")
            % {"people": people, "yes": yes, "needed": needed},
            more,
        )
    if code == "no_columns":
        return (
            _("Nothing is known of these people that differs between them."),
            _("Import orders, events or properties of people."),
        )
    if code == "constant_target":
        return _("The amount is the same for everybody."), _("Check the target.")
    if code == "no_rows":
        return _("Nobody is in the group that is asked about."), more
    return _("Nothing could be learned (%(code)s).") % {"code": code}, more
