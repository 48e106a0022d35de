"""The form of a new question for the tree explorer."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from models_ml.explorer import questions
from models_ml.features.targets import OPS

TYPES = (
    ("order", gettext_lazy("orders again")),
    ("spend_over", gettext_lazy("spends more than an amount")),
    ("no_order", gettext_lazy("stops ordering")),
    ("answer", gettext_lazy("answers a campaign")),
    ("event", gettext_lazy("does something (an event)")),
    ("no_event", gettext_lazy("stops doing something (an event)")),
    ("segment", gettext_lazy("is in a segment")),
    ("attribute", gettext_lazy("has a property")),
)
WHO = (
    ("buyers", gettext_lazy("people who have ordered")),
    ("everyone", gettext_lazy("everyone known")),
)


class QuestionForm(forms.Form):
    """What is asked, over which time, about whom, and how the tree is grown."""

    type = forms.ChoiceField(label=gettext_lazy("Find who"), choices=TYPES)
    amount = forms.FloatField(
        label=gettext_lazy("More than"), min_value=0, required=False, initial=100
    )
    event = forms.ChoiceField(label=gettext_lazy("Event"), required=False)
    times = forms.IntegerField(
        label=gettext_lazy("At least so many times"), min_value=1, max_value=1000, initial=1,
        required=False,
    )  # fmt: skip
    by = forms.ChoiceField(
        label=gettext_lazy("An answer is"),
        choices=(("click", gettext_lazy("a click")), ("open", gettext_lazy("an opening"))),
        required=False,
    )
    campaign = forms.ChoiceField(label=gettext_lazy("Campaign"), required=False)
    segment = forms.ChoiceField(label=gettext_lazy("Segment"), required=False)
    attribute = forms.CharField(label=gettext_lazy("Property"), max_length=100, required=False)
    op = forms.ChoiceField(
        label=gettext_lazy("Compared"), choices=[(op, op) for op in OPS], required=False
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=200, required=False)
    horizon_days = forms.IntegerField(
        label=gettext_lazy("Within days"), min_value=1, max_value=730, initial=90,
        help_text=gettext_lazy("How far to look ahead. A question of now needs none."),
    )  # fmt: skip
    who = forms.ChoiceField(label=gettext_lazy("Among"), choices=WHO)
    depth = forms.TypedChoiceField(
        label=gettext_lazy("Questions deep"), coerce=int, initial=4,
        choices=[(n, n) for n in questions.DEPTHS],
    )  # fmt: skip
    leaves = forms.IntegerField(
        label=gettext_lazy("Groups at most"), min_value=2, max_value=16, initial=8
    )
    min_leaf = forms.IntegerField(
        label=gettext_lazy("People in a group at least"), min_value=20, max_value=1_000_000,
        initial=100,
    )  # fmt: skip
    title = forms.CharField(
        label=gettext_lazy("Name"), max_length=120, required=False,
        help_text=gettext_lazy("Left empty, the question itself is the name."),
    )  # fmt: skip

    def __init__(
        self,
        *args: Any,
        events: Iterable[str],
        campaigns: Iterable[tuple[int, str]],
        segments: Iterable[tuple[int, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.names = {"campaign": dict(campaigns), "segment": dict(segments)}
        self._offer("event", [(name, name) for name in events])
        self._offer("campaign", [("", _("any campaign")), *self.names["campaign"].items()])
        self._offer("segment", list(self.names["segment"].items()))
        for name, field in self.fields.items():
            select = isinstance(field, forms.ChoiceField)
            field.widget.attrs["class"] = "select" if select else "input"
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"id_{name}_helptext"
        self.fields["type"].widget.attrs["x-model"] = "type"
        self.fields["attribute"].widget.attrs.update(list="properties", autocomplete="off")

    def _offer(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def question(self) -> dict[str, Any]:
        """What `questions.create` takes."""
        data = self.cleaned_data
        return {
            "title": data["title"] or self._said(),
            "target": self._target(),
            "horizon_days": data["horizon_days"],
            "population": {"who": data["who"]},
            "settings": {name: data[name] for name in ("depth", "leaves", "min_leaf")},
        }

    def _target(self) -> dict[str, Any]:
        data, kind = self.cleaned_data, self.cleaned_data["type"]
        match kind:
            case "spend_over":
                return {"type": kind, "amount": data["amount"]}
            case "event" | "no_event":
                return {"type": kind, "event": data["event"], "times": data["times"] or 1}
            case "answer":
                campaign = int(data["campaign"]) if data["campaign"] else None
                return {"type": kind, "by": data["by"] or "click", "campaign": campaign}
            case "segment":
                return {"type": kind, "segment": int(data["segment"]) if data["segment"] else 0}
            case "attribute":
                return {
                    "type": kind,
                    "attribute": data["attribute"],
                    "op": data["op"] or "=",
                    "value": _number_or_text(data["value"], data["op"]),
                }
        return {"type": kind}

    def _said(self) -> str:
        data, kind = self.cleaned_data, self.cleaned_data["type"]
        facts = {
            "days": data["horizon_days"],
            "amount": f"{data['amount'] or 0:g}",
            "event": data["event"],
            "segment": self.names["segment"].get(int(data["segment"] or 0), ""),
            "campaign": self.names["campaign"].get(int(data["campaign"] or 0), ""),
            "property": f"{data['attribute']} {data['op']} {data['value']}",
        }
        said = {
            "order": _("Who orders again within %(days)d days"),
            "spend_over": _("Who spends more than %(amount)s within %(days)d days"),
            "no_order": _("Who stops ordering for %(days)d days"),
            "event": _("Who does “%(event)s” within %(days)d days"),
            "no_event": _("Who does no “%(event)s” for %(days)d days"),
            "answer": _("Who answers “%(campaign)s” within %(days)d days")
            if facts["campaign"]
            else _("Who answers a campaign within %(days)d days"),
            "segment": _("Who is in “%(segment)s”"),
            "attribute": _("Who has %(property)s"),
        }
        return (said[kind] % facts)[:120]

    def named(self, field: str | None) -> str | None:
        """The field of the form that a refusal speaks of."""
        name = (field or "").removeprefix("target.")
        return name if name in self.fields else None


def _number_or_text(text: str, op: str) -> str | float:
    if op in ("=", "!=", ""):
        return text
    try:
        return float(text)
    except ValueError:
        return text
