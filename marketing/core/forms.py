"""Forms of the settings pages."""

import zoneinfo
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketing.core.auth import NOUNS, SCOPES, may_give
from marketing.core.errors import Refused
from marketing.core.models import User


def whole_number(text: str | None) -> int | None:
    """The number somebody sent, as ids are; None for anything else, "²" and "" too."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def show_refusal(form: forms.BaseForm, refusal: Refused) -> None:
    """Say beside the field at fault, or above the form, why what was sent is refused."""
    field = refusal.field if refusal.field in form.fields else None
    form.add_error(field, str(refusal))


class Styled:
    """Gives each control the look of the design system and ties it to its error or hint."""

    fields: dict[str, forms.Field]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            widget = field.widget
            if isinstance(widget, forms.Select):
                widget.attrs.setdefault("class", "select")
            elif isinstance(widget, forms.Textarea):
                widget.attrs.setdefault("class", "textarea")
            elif isinstance(widget, forms.CheckboxInput):
                widget.attrs.setdefault("class", "check")
            else:
                widget.attrs.setdefault("class", "input")


class ProfileForm(Styled, forms.ModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    timezone = forms.CharField(
        label=_("Time zone"), max_length=64, help_text=_("Times on every page are shown in it.")
    )

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email", "language", "timezone", "theme"]
        labels = {
            "first_name": _("First name"),
            "last_name": _("Last name"),
            "email": _("E-mail"),
            "theme": _("Theme"),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["timezone"].widget.attrs.update(list="zones", autocomplete="off")

    def clean_timezone(self) -> str:
        name = self.cleaned_data["timezone"].strip()
        if name not in zoneinfo.available_timezones():
            raise forms.ValidationError(
                gettext(
                    "There is no time zone %(name)s. Choose one of the list, such as Europe/London."
                )
                % {"name": name}
            )
        return name


class KeyForm(Styled, forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What uses it, such as “shop web site”.")
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        choices=[(90, _("90 days")), (365, _("1 year")), (0, _("until revoked"))],
        initial=365,
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one thing that the key may do.")},
    )

    def __init__(self, *args: Any, user: User, **more: Any) -> None:
        super().__init__(*args, **more)
        self.offered = {scope for scope in SCOPES if may_give(user, scope)}
        field = cast(forms.MultipleChoiceField, self.fields["scopes"])
        field.choices = [(scope, scope) for scope in SCOPES if scope in self.offered]

    def nouns(self) -> list[tuple[str, bool | None, bool | None]]:
        """(noun, reading chosen, writing chosen) for the table of scopes; None: not to be had."""
        chosen = set(self["scopes"].value() or ())

        def stands(scope: str) -> bool | None:
            return scope in chosen if scope in self.offered else None

        return [(noun, stands(f"{noun}:read"), stands(f"{noun}:write")) for noun in NOUNS]

    def expires_at(self, now: datetime) -> datetime | None:
        days = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None
