"""What the things that a rule names are called, for its sentence in the reader's language."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, PersonList, Segment
from campaigns.segments import fields
from campaigns.segments.nodes import (
    Consented,
    Node,
    Reach,
    campaigns_in,
    clusterings_in,
    lists_in,
    predictions_in,
    segments_in,
    walk,
)
from campaigns.segments.phrases import Words
from ingestion.models import Purpose
from ingestion.privacy.preferences import BUILT_IN
from models_ml.clusters import wording as clusters
from models_ml.insights import lifecycle
from models_ml.models import Clustering, Prediction

CHANNELS: dict[str, str | Promise] = {"email": _("e-mail"), "sms": _("SMS"), "push": _("push")}


def words_of(node: Node) -> Words:
    """Words for the sentence of a rule: one look-up for each kind of thing that it names."""
    segments = _named(Segment, "pk", "name", segments_in(node))
    known: dict[str, Mapping[Any, object]] = {
        "channel": CHANNELS,
        "stage": lifecycle.STAGES,
        "purpose": _purposes(node),
        "prediction": _named(Prediction, "key", "title", predictions_in(node)),
        "campaign": _named(Campaign, "pk", "name", campaigns_in(node)),
        "clustering": _named(Clustering, "key", "title", clusterings_in(node)),
        "group": clusters.group_names(keys=clusterings_in(node)),
        "list": _named(PersonList, "pk", "name", lists_in(node)),
    }
    return Words(
        gettext=gettext,
        ngettext=ngettext,
        label=lambda name: str(fields.FIELDS[name].label),
        segment=lambda id: str(segments.get(id, id)),
        number=written,
        named=_naming(known),
    )


def _naming(known: Mapping[str, Mapping[Any, object]]) -> Callable[[str, str | int], str]:
    return lambda kind, key: str(known[kind].get(key, key))


def _named(
    model: type, key: str, name: str, wanted: set[int] | set[str]
) -> dict[str | int, object]:
    if not wanted:
        return {}
    rows = model.objects.filter(**{f"{key}__in": wanted})  # type: ignore[attr-defined]
    return dict(rows.values_list(key, name))


def _purposes(node: Node) -> dict[str | int, object]:
    wanted = {n.purpose for n in walk(node) if isinstance(n, Reach | Consented)}
    built_in: dict[str | int, object] = {slug: name for slug, (name, _about) in BUILT_IN.items()}
    return built_in | _named(Purpose, "slug", "name", wanted - set(BUILT_IN))


def written(value: int | float) -> str:
    """A number as people write it: whole when it is whole, with separators."""
    if float(value).is_integer():
        return str(formats.number_format(int(value), use_l10n=True, force_grouping=True))
    text = f"{value:.10f}".rstrip("0")
    places = len(text.partition(".")[2])
    return str(formats.number_format(value, decimal_pos=places, use_l10n=True, force_grouping=True))
