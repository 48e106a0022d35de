"""The form of a channel, made of the fields that its provider declares."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from campaigns.channels import saving
from campaigns.channels.saving import Sender
from campaigns.messaging.providers.base import Provider
from campaigns.models import Channel
from marketing.core import declared


def _line(**attrs: str) -> forms.TextInput:
    return forms.TextInput(attrs={"class": "input", "autocomplete": "off", **attrs})


class ChannelForm(declared.DeclaredForm):
    """Name, sender, pace, and the settings of the provider."""

    name = forms.CharField(
        label=gettext_lazy("Name of the channel"), max_length=100, widget=_line()
    )
    from_name = forms.CharField(
        label=gettext_lazy("Sender's name"), max_length=100, required=False, widget=_line()
    )
    from_address = forms.CharField(
        label=gettext_lazy("Sender's address"), max_length=254, required=False, widget=_line()
    )
    rate_per_second = forms.FloatField(
        label=gettext_lazy("At most, a second"),
        required=False,
        help_text=gettext_lazy("Left empty: as fast as the provider takes them."),
        widget=_line(inputmode="decimal"),
    )
    warmup_per_day = forms.IntegerField(
        label=gettext_lazy("Warm-up: messages on the first day"),
        required=False,
        help_text=gettext_lazy(
            "A new address is trusted slowly: each day it may send half as many again. Left "
            "empty: no warm-up."
        ),
        widget=_line(inputmode="numeric"),
    )

    def __init__(
        self,
        *args: Any,
        made: type[Provider],
        channel: Channel | None,
        variant: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.made, self.variants, self.variant = made, made.variants, variant
        if made.sender != "mail":
            del self.fields["from_name"]
        if not made.sender:
            del self.fields["from_address"]
        elif made.sender == "phone":
            self.fields["from_address"].label = gettext_lazy("Number or name to send from")
        if made.kind not in ("email", "sms"):
            del self.fields["warmup_per_day"]
        endings = saving.endings(channel) if channel else {}
        self.declare([one for one in made.fields_of(variant) if not one.made], endings)

    @classmethod
    def of(
        cls, request: HttpRequest, made: type[Provider], channel: Channel | None
    ) -> "ChannelForm":
        """The form as asked for: posted, or with what is saved."""
        variants = dict(made.variants)
        saved = channel.settings.get("variant", "") if channel else ""
        variant = declared.chosen(request, variants, saved)
        initial: dict[str, Any] = {"name": variants.get(variant, made.label)}
        if channel is not None:
            initial = {f"s_{name}": value for name, value in channel.settings.items()}
            initial |= {
                name: getattr(channel, name)
                for name in (
                    "name", "from_name", "from_address", "rate_per_second", "warmup_per_day"
                )
            }  # fmt: skip
        return cls(
            request.POST if request.method == "POST" else None,
            made=made,
            channel=channel,
            variant=variant,
            initial=initial,
        )

    def senders(self) -> list[forms.BoundField]:
        return [self[name] for name in ("from_name", "from_address") if name in self.fields]

    def paces(self) -> list[forms.BoundField]:
        return [self[n] for n in ("rate_per_second", "warmup_per_day") if n in self.fields]

    def sender(self) -> Sender:
        data = self.cleaned_data
        return Sender(
            from_name=data.get("from_name") or "",
            from_address=data.get("from_address") or "",
            rate_per_second=data.get("rate_per_second"),
            warmup_per_day=data.get("warmup_per_day"),
        )
