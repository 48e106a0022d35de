"""The form of a source that is fetched from, made of the fields that its kind declares."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.connectors import configuring, kinds
from ingestion.connectors.base import Kind
from ingestion.connectors.configuring import Timing
from ingestion.models import Connector
from marketing.core import declared

EVERY = (
    ("", gettext_lazy("Only when somebody asks")),
    ("5", gettext_lazy("Every 5 minutes")),
    ("15", gettext_lazy("Every 15 minutes")),
    ("60", gettext_lazy("Every hour")),
    ("360", gettext_lazy("Every 6 hours")),
    ("daily", gettext_lazy("Daily at a time")),
)


class SettingsForm(declared.DeclaredForm):
    """Name, settings of the kind, schedule."""

    long_limit = 10_000

    name = forms.CharField(
        label=gettext_lazy("Name of the source"),
        max_length=100,
        help_text=gettext_lazy("Order numbers are unique within a source."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    every = forms.ChoiceField(
        label=gettext_lazy("Fetch"),
        choices=EVERY,
        required=False,
        initial="60",
        widget=forms.Select(attrs={"class": "select"}),
    )
    daily_at = forms.TimeField(
        label=gettext_lazy("At (UTC)"),
        required=False,
        help_text=gettext_lazy("Only with “Daily at a time”."),
        widget=forms.TimeInput(attrs={"class": "input", "type": "time"}, format="%H:%M"),
    )

    def __init__(
        self, *args: Any, kind: type[Kind], connector: Connector | None, variant: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.variants, self.variant = kind.variants, variant
        endings = configuring.endings(connector) if connector else {}
        self.declare(kind.fields_of(variant), endings)

    @classmethod
    def of(
        cls, request: HttpRequest, kind: type[Kind], connector: Connector | None
    ) -> "SettingsForm":
        """The form as asked for: posted, or with what is saved."""
        variants = dict(kind.variants)
        saved = connector.config.get("variant", "") if connector else ""
        variant = declared.chosen(request, variants, saved)
        initial: dict[str, Any] = {}
        if connector is not None:
            initial = {f"s_{name}": value for name, value in connector.config.items()}
            every = connector.every_minutes
            initial |= {
                "name": connector.source.name,
                "every": "daily" if connector.daily_at else str(every or ""),
                "daily_at": connector.daily_at,
            }
        form = cls(
            request.POST if request.method == "POST" else None,
            kind=kind,
            connector=connector,
            variant=variant,
            initial=initial,
        )
        every_now = str(connector.every_minutes or "") if connector else ""
        if every_now and every_now not in dict(EVERY):
            choices = [*EVERY, (every_now, _("Every %(n)s minutes") % {"n": every_now})]
            form.fields["every"].choices = choices  # type: ignore[attr-defined]
        return form

    def timing(self) -> Timing:
        every = self.cleaned_data["every"]
        if every == "daily":
            return Timing(daily_at=self.cleaned_data["daily_at"])
        return Timing(every_minutes=int(every) if every else None)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("every") == "daily" and not data.get("daily_at"):
            self.add_error("daily_at", _("Give a time such as 03:30."))
        return data


def shown(connector: Connector) -> list[dict[str, Any]]:
    """The settings as the page shows them: a secret only as set, with its ending."""
    kind = kinds.load(connector.kind)
    variant = connector.config.get("variant", "")
    endings = configuring.endings(connector)
    rows: list[dict[str, Any]] = []
    if variant:
        rows.append({"label": _("Kind"), "value": dict(kind.variants).get(variant, variant)})
    for one in kind.fields_of(variant):
        if one.secret:
            if one.name in endings:
                end = endings[one.name]
                value = _("Set, ends in …%(end)s") % {"end": end} if end else _("Set")
                rows.append({"label": one.label, "value": value, "secret": True})
            continue
        if value := connector.config.get(one.name):
            choices = dict(one.choices)
            rows.append(
                {
                    "label": one.label,
                    "value": choices.get(value, value),
                    "code": one.kind == "long",
                }
            )
    return rows


def timing_in_words(connector: Connector) -> str:
    """When it is fetched from."""
    if connector.daily_at:
        return _("Daily at %(time)s UTC") % {"time": connector.daily_at.strftime("%H:%M")}
    text = str(connector.every_minutes or "")
    if text in dict(EVERY):
        return str(dict(EVERY)[text])
    return _("Every %(n)s minutes") % {"n": text}
