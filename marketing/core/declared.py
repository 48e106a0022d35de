"""Forms made of the settings that something declares: a source's kind, a channel's provider."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _

from marketing.core.errors import Refused


class Declared(Protocol):
    """One setting. `kind` is text, long, number or select; `choices` make it a choice."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def secret(self) -> bool: ...
    @property
    def hint(self) -> Any: ...
    @property
    def default(self) -> str: ...
    @property
    def choices(self) -> tuple[tuple[str, Any], ...]: ...
    @property
    def placeholder(self) -> str: ...
    @property
    def limit(self) -> int: ...


def chosen(request: HttpRequest, variants: Mapping[str, Any], saved: str) -> str:
    """The variant that is asked for, else the saved one, else the first."""
    wanted = request.POST.get("variant") or request.GET.get("variant") or saved
    return wanted if wanted in variants else next(iter(variants), "")


class DeclaredForm(forms.Form):
    """Fields of its own, and after them the settings that were declared, each as s_<name>."""

    long_limit = 0  # so much a long text may hold at least
    names: list[str]
    variant = ""

    def declare(self, settings: Sequence[Declared], endings: Mapping[str, str]) -> None:
        """Add a control for each; `endings` are those of the secrets that are set."""
        self.names = [one.name for one in settings]
        for one in settings:
            self.fields[f"s_{one.name}"] = self._control(one, endings.get(one.name))
        self.long = {f"s_{one.name}" for one in settings if one.kind == "long"}
        for name, field in self.fields.items():
            if field.help_text:
                field.widget.attrs["aria-describedby"] = f"id_{name}_helptext"

    def settings(self) -> list[forms.BoundField]:
        return [self[f"s_{name}"] for name in self.names]

    def given(self) -> dict[str, str]:
        """The settings as the domain takes them."""
        found = {name: str(self.cleaned_data[f"s_{name}"] or "") for name in self.names}
        return {**found, "variant": self.variant}

    def mark(self, refusal: Refused) -> None:
        """Put a refusal at its field, where it has one here."""
        for name in (f"s_{refusal.field}", refusal.field or ""):
            if name in self.fields:
                self.add_error(name, str(refusal))
                return

    def _control(self, one: Declared, ending: str | None) -> forms.Field:
        """A form control for a setting. A secret's control is always empty."""
        hint = str(one.hint)
        if one.secret and ending is not None:
            kept = _("Set, ends in …%(end)s.") % {"end": ending} if ending else _("Set.")
            hint = f"{kept} " + _("Leave it empty to keep it.") + (f" {hint}" if hint else "")
        common: dict[str, Any] = {
            "label": one.label,
            "required": one.required and not (one.secret and ending is not None),
            "help_text": hint,
            "initial": one.default,
        }
        attrs = {"class": "input", "autocomplete": "off", "spellcheck": "false"}
        if one.placeholder:
            attrs["placeholder"] = one.placeholder
        if one.choices:
            return forms.ChoiceField(
                choices=list(one.choices), widget=forms.Select(attrs={"class": "select"}), **common
            )
        if one.kind == "long":
            area = forms.Textarea(attrs={**attrs, "class": "textarea mono", "rows": 5})
            most = max(one.limit, self.long_limit)
            return forms.CharField(widget=area, strip=not one.secret, max_length=most, **common)
        if one.secret:
            hidden = forms.PasswordInput(
                render_value=False, attrs={**attrs, "autocomplete": "new-password"}
            )
            return forms.CharField(widget=hidden, strip=False, max_length=4_000, **common)
        if one.kind == "number":
            attrs["inputmode"] = "numeric"
        return forms.CharField(widget=forms.TextInput(attrs=attrs), max_length=one.limit, **common)
