"""The form of a new prediction: what, within how many days, about whom; the rest is optional."""

from typing import Any

from django import forms
from django.db import connection
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import EventType
from marketing.core.errors import Refused
from models_ml.features import mailings, targets
from models_ml.predictions import definitions
from models_ml.predictions.ready import Ready

# type → title, what is predicted in a line, icon, hue
KINDS = (
    ("order", gettext_lazy("They order"), gettext_lazy("at least once"), "shopping-cart", "k2"),
    ("no_order", gettext_lazy("They stop buying"), gettext_lazy("no order at all"), "user-x", "k4"),
    ("spend_over", gettext_lazy("They spend over an amount"), gettext_lazy("money in all"),
     "currency-dollar", "k3"),
    ("event", gettext_lazy("They do something"), gettext_lazy("any event that comes in"),
     "bolt", "k6"),
    ("no_event", gettext_lazy("They stop doing something"), gettext_lazy("an event stays out"),
     "player-pause", "k4"),
    ("answer", gettext_lazy("They answer a mail"), gettext_lazy("a click, or an opening"),
     "mail-opened", "k1"),
    ("attribute", gettext_lazy("A property is so"), gettext_lazy("of whom it is not known yet"),
     "tag", "k5"),
    ("spend", gettext_lazy("How much they spend"), gettext_lazy("an amount, not a chance"),
     "receipt", "k2"),
    ("order_value", gettext_lazy("What an order is worth"), gettext_lazy("of those who order"),
     "shopping-bag", "k3"),
    ("next_order", gettext_lazy("When they order next"), gettext_lazy("a day for each person"),
     "calendar-event", "k1"),
    ("moved", gettext_lazy("Whom a mail moves"), gettext_lazy("told by who was held out"),
     "arrows-split-2", "k6"),
    ("send_hour", gettext_lazy("When they answer mails"), gettext_lazy("an hour of their day"),
     "clock", "k2"),
    ("unusual", gettext_lazy("Who is unlike the rest"), gettext_lazy("and in which facts"),
     "user-search", "k4"),
)  # fmt: skip
# What has to be said besides, and for which types.
PART_OF = {
    "amount": ("spend_over",),
    "event": ("event", "no_event"),
    "answer": ("answer",),
    "brings": ("moved",),
    "campaign": ("answer", "moved"),
    "attribute": ("attribute",),
}
OPS = [
    ("=", gettext_lazy("is")),
    ("!=", gettext_lazy("is not")),
    (">", gettext_lazy("is over")),
    (">=", gettext_lazy("is at least")),
    ("<", gettext_lazy("is under")),
    ("<=", gettext_lazy("is at most")),
]
MOST_NAMES = 200
_PROPERTIES = """
SELECT key, avg((jsonb_typeof(lately.attributes -> key) = 'number'
    OR lately.attributes ->> key ~ '^ *-?[0-9]{1,15}(\\.[0-9]{1,15})? *$')::int)
FROM (SELECT attributes FROM ingestion_customer WHERE merged_into_id IS NULL
    ORDER BY id DESC LIMIT 5000) AS lately, jsonb_object_keys(lately.attributes) AS key
GROUP BY key ORDER BY count(*) DESC, key LIMIT %s
"""
_TEXT = {"class": "input"}
_SELECT = {"class": "select"}


def known_properties() -> list[tuple[str, bool]]:
    """What is kept about the newest people, and whether it is mostly a number."""
    with connection.cursor() as cursor:
        cursor.execute(_PROPERTIES, [MOST_NAMES])
        return [(name, float(share) > 0.95) for name, share in cursor.fetchall()]


class AskForm(forms.Form):
    """Texts of the form → the JSON of `definitions.create`."""

    type = forms.ChoiceField(
        label=gettext_lazy("What"), choices=[(kind[0], kind[1]) for kind in KINDS], initial="order"
    )
    amount = forms.FloatField(
        label=gettext_lazy("More than"),
        required=False,
        min_value=0,
        initial=100,
        widget=forms.NumberInput({**_TEXT, "step": "any"}),
    )
    event = forms.ChoiceField(
        label=gettext_lazy("Event"), required=False, widget=forms.Select(_SELECT)
    )
    times = forms.IntegerField(
        label=gettext_lazy("At least so often"),
        required=False,
        min_value=1,
        max_value=1000,
        initial=1,
        widget=forms.NumberInput(_TEXT),
    )
    where_property = forms.CharField(
        label=gettext_lazy("Only where (optional)"),
        required=False,
        max_length=220,
        widget=forms.TextInput({**_TEXT, "placeholder": gettext_lazy("a property, e.g. plan")}),
    )
    where_op = forms.ChoiceField(
        label=gettext_lazy("Comparison"),
        choices=OPS,
        required=False,
        widget=forms.Select(_SELECT),
    )
    where_value = forms.CharField(
        label=gettext_lazy("Value"),
        required=False,
        max_length=300,
        widget=forms.TextInput(_TEXT),
    )
    by = forms.ChoiceField(
        label=gettext_lazy("An answer is"),
        choices=[("click", gettext_lazy("a click")), ("open", gettext_lazy("an opening"))],
        required=False,
        widget=forms.Select(_SELECT),
    )
    brings = forms.ChoiceField(
        label=gettext_lazy("What it is to bring about"),
        required=False,
        widget=forms.Select(_SELECT),
    )
    campaign = forms.ChoiceField(
        label=gettext_lazy("Campaign"), required=False, widget=forms.Select(_SELECT)
    )
    attribute = forms.ChoiceField(
        label=gettext_lazy("Property"), required=False, widget=forms.Select(_SELECT)
    )
    op = forms.ChoiceField(
        label=gettext_lazy("Comparison"),
        choices=OPS,
        required=False,
        widget=forms.Select(_SELECT),
    )
    value = forms.CharField(
        label=gettext_lazy("Value"),
        required=False,
        max_length=300,
        widget=forms.TextInput(_TEXT),
    )
    horizon_days = forms.IntegerField(
        label=gettext_lazy("Days"),
        min_value=1,
        max_value=definitions.LONGEST_DAYS,
        initial=90,
        widget=forms.NumberInput(_TEXT),
    )
    who = forms.ChoiceField(
        label=gettext_lazy("For whom"),
        choices=[
            ("buyers", gettext_lazy("People who have bought")),
            ("recent", gettext_lazy("People who ordered lately")),
            ("everyone", gettext_lazy("Everyone")),
        ],
        initial="buyers",
        widget=forms.RadioSelect,
    )
    least_orders = forms.IntegerField(
        label=gettext_lazy("At least so many orders"),
        required=False,
        min_value=1,
        max_value=1000,
        initial=1,
        widget=forms.NumberInput(_TEXT),
    )
    ordered_within_days = forms.IntegerField(
        label=gettext_lazy("An order within so many days"),
        required=False,
        min_value=1,
        max_value=3650,
        initial=365,
        widget=forms.NumberInput(_TEXT),
    )
    title = forms.CharField(
        label=gettext_lazy("Name"), max_length=120, widget=forms.TextInput(_TEXT)
    )
    worth = forms.FloatField(
        label=gettext_lazy("Worth of a hit"),
        required=False,
        min_value=0,
        widget=forms.NumberInput({**_TEXT, "step": "any"}),
    )
    cost = forms.FloatField(
        label=gettext_lazy("Cost to reach one"),
        required=False,
        min_value=0,
        widget=forms.NumberInput({**_TEXT, "step": "any"}),
    )
    learn_from = forms.MultipleChoiceField(
        label=gettext_lazy("Properties to learn from as well"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        fields["event"].choices = [(name, name) for name in self.events]
        fields["brings"].choices = [("", _("an order")), *((name, name) for name in self.events)]
        fields["campaign"].choices = [("", _("all of them")), *self.campaigns]
        fields["attribute"].choices = [(name, name) for name, _number in self.properties]
        fields["learn_from"].choices = [
            ("country", _("Country")),
            ("language", _("Language")),
            *((name, name) for name, _number in self.properties[:38]),
        ]

    @cached_property
    def events(self) -> list[str]:
        """Kinds of events that have come in."""
        seen = EventType.objects.filter(first_seen_at__isnull=False).order_by("name")
        return list(seen.values_list("name", flat=True)[:MOST_NAMES])

    @cached_property
    def campaigns(self) -> list[tuple[str, str]]:
        """Campaigns that were sent to their end, the newest first; (key, name)."""
        newest = reversed(mailings.finished())
        return list({str(one.campaign): one.name for one in newest}.items())[:MOST_NAMES]

    @cached_property
    def properties(self) -> list[tuple[str, bool]]:
        return known_properties()

    @staticmethod
    def filled(start: Ready) -> dict[str, Any]:
        """The first values of the form for a ready question."""
        within = start.population.get("ordered_within_days")
        who = start.population.get("who", "buyers")
        target = {name: value for name, value in start.target.items() if value}
        if start.target["type"] == "moved":
            target["brings"] = target.pop("event", "")
        return {
            "type": "order",
            **target,
            "horizon_days": start.horizon_days,
            "who": "recent" if within else who,
            "least_orders": start.population.get("least_orders", 1),
            "ordered_within_days": within or 365,
            "title": str(start.title),
        }

    def kinds(self) -> list[dict[str, Any]]:
        """The cards of the first choice, and which of them have no data behind them."""
        chosen = self["type"].value()
        lacks = {"event": not self.events, "no_event": not self.events}
        lacks["attribute"] = not self.properties
        lacks["answer"] = "email_sent" not in self.events
        lacks["moved"] = not self.campaigns
        lacks["send_hour"] = lacks["answer"]
        return [
            {
                "value": value,
                "title": title,
                "about": about,
                "icon": icon,
                "hue": hue,
                "checked": value == chosen,
                "off": lacks.get(value, False) and value != chosen,
            }
            for value, title, about, icon, hue in KINDS
        ]

    def is_question(self) -> bool:
        """Whether the three choices can be read, whatever the rest of the form says."""
        self.is_valid()
        if self.wanting():
            return False
        return not set(self.errors) - {"title", "worth", "cost", "learn_from"}

    def wanting(self) -> str:
        """What is missing to look at the data, in words."""
        kind = self.data.get("type", "")
        if kind in PART_OF["event"] and not self.data.get("event"):
            return _("Choose the event.")
        if kind == "attribute" and not (self.data.get("attribute") and self.data.get("value")):
            return _("Choose the property and say what it should be.")
        if "horizon_days" in self.errors:
            return _("Say how many days to look ahead.")
        wrong = [name for name in self.errors if name not in ("title", "worth", "cost")]
        return " ".join(str(error) for name in wrong for error in self.errors[name])

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                targets.read(self.target())
            except Refused as refusal:
                name = (refusal.field or "").split(".")[-1]
                self.add_error(name if name in self.fields else None, refusal.message)
        return values

    def target(self) -> dict[str, Any]:
        """The JSON of the first choice."""
        values = self.cleaned_data
        kind = values["type"]
        if kind == "spend_over":
            return {"type": kind, "amount": values.get("amount")}
        if kind in PART_OF["event"]:
            made: dict[str, Any] = {
                "type": kind,
                "event": values.get("event", ""),
                "times": values.get("times") or 1,
            }
            if values.get("where_property"):
                made["where"] = [
                    {
                        "property": values["where_property"],
                        "op": values.get("where_op") or "=",
                        "value": _value(values.get("where_value", ""), values.get("where_op")),
                    }
                ]
            return made
        if kind == "answer":
            made = {"type": kind, "by": values.get("by") or "click"}
            return made | self._campaign()
        if kind == "moved":
            event = values.get("brings")
            made = {"by": "event", "event": event} if event else {"by": "order"}
            return {"type": kind} | made | self._campaign()
        if kind == "attribute":
            op = values.get("op") or "="
            return {
                "type": kind,
                "attribute": values.get("attribute", ""),
                "op": op,
                "value": _value(values.get("value", ""), op),
            }
        return {"type": kind}

    def _campaign(self) -> dict[str, Any]:
        number = self.cleaned_data.get("campaign")
        return {"campaign": int(number)} if number else {}

    def population(self) -> dict[str, Any]:
        """The JSON of the third choice."""
        values = self.cleaned_data
        who = values.get("who", "buyers")
        if who == "everyone" or values.get("type") in ("answer", "attribute", "moved", "send_hour"):
            return {"who": "everyone"}
        made: dict[str, Any] = {"who": "buyers"}
        if (least := values.get("least_orders") or 1) > 1:
            made["least_orders"] = least
        if who == "recent":
            made["ordered_within_days"] = values.get("ordered_within_days") or 365
        return made

    def wishes(self) -> dict[str, Any]:
        """What to learn from besides, and worth and cost for the threshold."""
        values = self.cleaned_data
        numbers = dict(self.properties)
        made: dict[str, Any] = {}
        if values["type"] == "next_order":
            made["engine"] = "lifetime"
        if chosen := values.get("learn_from"):
            made["attributes"] = [
                {"name": name, "kind": "number" if numbers.get(name) else "category"}
                for name in chosen
                if name != values.get("attribute") or values["type"] != "attribute"
            ]
        if values.get("worth"):
            made["profit"] = {"worth": values["worth"], "cost": values.get("cost") or 0.0}
        return made


def _value(text: str, op: str | None) -> str | float:
    """What a condition compares with: a number where size is asked for, else the text."""
    if op in (">", ">=", "<", "<="):
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return text
    return text
