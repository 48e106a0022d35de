"""What the rule builder offers: every question of the language in words, and the names that the
shop's own data suggest for them.
"""

from typing import Any

from django.db import connection
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign, PersonList, Segment
from campaigns.segments import fields, naming, questions, terms
from campaigns.views.phrases import ACTS, ANSWERS, CALENDAR, LINE, MEASURES, OPS, UNITS, WORDS
from ingestion.models import Customer, EventProperty, EventType, Product, Purpose
from ingestion.privacy.preferences import BUILT_IN
from ingestion.registry import shapes
from models_ml.clusters import reading as clusters
from models_ml.insights import lifecycle
from models_ml.models import Prediction

ICONS = {
    fields.WHO: ("user", "k5"),
    fields.BOUGHT: ("shopping-cart", "k2"),
    fields.PREDICTED: ("sparkles", "k6"),
    fields.CONSENT: ("shield-check", "k1"),
}
LOOKS = {
    "attribute": ("tag", "k5"),
    "did": ("activity", "k7"),
    "sequence": ("route", "k7"),
    "bought": ("shopping-cart", "k2"),
    "ordered": ("receipt", "k2"),
    "message": ("mail-opened", "k3"),
    "reach": ("send", "k1"),
    "consent": ("shield-check", "k1"),
    "score": ("brain", "k6"),
    "rfm": ("layout-grid", "k6"),
    "lifecycle": ("heartbeat", "k6"),
    "cluster": ("chart-dots-3", "k6"),
    "bucket": ("flask", "k8"),
    "in_list": ("list", "k5"),
    "in_segment": ("chart-pie-2", "k5"),
}
MAX_OFFERED = 500
_UNITS = {"days": gettext_lazy("days"), "money": None, "count": None, "share": None, "score": None}
_LATELY = """
WITH lately AS (
    SELECT country, language, attributes FROM {customer} WHERE merged_into_id IS NULL
    ORDER BY id DESC LIMIT 5000)
SELECT 'countries', country, '' FROM lately WHERE country <> '' GROUP BY country
UNION ALL SELECT 'languages', language, '' FROM lately WHERE language <> '' GROUP BY language
UNION ALL (SELECT 'attributes', key, '' FROM lately, jsonb_object_keys(attributes) AS key
    GROUP BY key ORDER BY count(*) DESC LIMIT 200)
UNION ALL (SELECT 'categories', category, '' FROM {product} WHERE category <> ''
    GROUP BY category ORDER BY count(*) DESC LIMIT 200)
UNION ALL (SELECT 'skus', sku, name FROM {product} ORDER BY id DESC LIMIT 300)
"""


def suggestions() -> dict[str, list[tuple[str, str]]]:
    """Names that stand in the newest rows, with what they mean: for boxes that take any text."""
    tables = {"customer": Customer._meta.db_table, "product": Product._meta.db_table}
    found: dict[str, list[tuple[str, str]]] = {
        key: [] for key in ("countries", "languages", "attributes", "categories", "skus")
    }
    with connection.cursor() as cursor:
        cursor.execute(_LATELY.format(**tables))
        for kind, name, about in cursor.fetchall():
            found[kind].append((name, about))
    return {kind: sorted(names) for kind, names in found.items()}


def events() -> list[dict[str, Any]]:
    """Kinds of events, the most frequent first, each with its properties."""
    types: dict[int, dict[str, Any]] = {
        pk: {"name": name, "properties": []}
        for pk, name in EventType.objects.values_list("pk", "name")[:200]
    }
    rows = EventProperty.objects.filter(type__in=list(types)).values_list("type", "name", "kinds")
    for pk, name, kinds in rows[:4000]:
        number = bool(kinds) and set(kinds) <= {shapes.INTEGER, shapes.NUMBER}
        types[pk]["properties"].append({"name": name, "number": number})
    return list(types.values())


def lists() -> list[dict[str, Any]]:
    rows = PersonList.objects.all()[:MAX_OFFERED]
    return [{"id": one.pk, "name": one.name, "label": list_label(one)} for one in rows]


def list_label(one: PersonList) -> str:
    about = _("not read yet") if one.read_at is None else naming.written(one.people)
    return f"{one.name} ({about})"


def predictions() -> list[dict[str, str]]:
    rows = Prediction.objects.filter(state=Prediction.State.ACTIVE)[:MAX_OFFERED]
    return [{"key": one.key, "title": one.title, "kind": one.kind} for one in rows]


def purposes() -> list[tuple[str, str]]:
    built_in = [(slug, str(name)) for slug, (name, _about) in BUILT_IN.items()]
    own = Purpose.objects.exclude(slug__in=BUILT_IN).values_list("slug", "name")
    return built_in + list(own[:MAX_OFFERED])


def offered(*, others: list[Segment], segment: Segment | None) -> dict[str, Any]:
    """Everything that the builder's script needs to show and to make rules."""
    return {
        "fields": {
            field.name: {
                "label": capfirst(str(field.label)),
                "kind": field.kind,
                "icon": ICONS[field.group][0],
                "hue": ICONS[field.group][1],
                "unit": str(_UNITS.get(field.unit) or ""),
            }
            for field in fields.FIELDS.values()
        },
        "looks": {head: {"icon": icon, "hue": hue} for head, (icon, hue) in LOOKS.items()},
        "ops": {kind: list(ops) for kind, ops in terms.OPS.items()},
        "propertyOps": terms.PROPERTY_OPS,
        "lineOps": {kind: list(ops) for kind, ops in questions.LINE_OPS.items()},
        "measureOps": questions.MEASURE_OPS,
        "opWords": _said(OPS),
        "words": _said(WORDS),
        "units": _said(UNITS),
        "calendar": _pairs(CALENDAR),
        "measures": _pairs(MEASURES),
        "acts": _pairs(ACTS),
        "answers": _pairs(ANSWERS),
        "channels": [(key, capfirst(str(name))) for key, name in naming.CHANNELS.items()],
        "stages": _pairs(lifecycle.STAGES),
        "line": {
            name: {"label": str(LINE[name]), "kind": kind} for name, kind in questions.LINE.items()
        },
        "purposes": purposes(),
        "events": events(),
        "predictions": predictions(),
        "clusterings": clusters.offered(most=MAX_OFFERED),
        "campaigns": list(Campaign.objects.order_by("-id").values("id", "name")[:MAX_OFFERED]),
        "lists": lists(),
        "segments": [
            {"id": other.pk, "name": other.name}
            for other in others
            if segment is None or other.pk != segment.pk
        ],
    }


def menu(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The menu of what may be asked: groups of (what to add, its name, icon, words)."""

    def entry(kind: str, words: Any, name: str = "") -> dict[str, Any]:
        return {"kind": kind, "name": name, "icon": LOOKS[kind][0], "words": words}

    def of(group: str) -> list[dict[str, Any]]:
        return [
            {
                "kind": "field",
                "name": f.name,
                "icon": ICONS[group][0],
                "words": capfirst(str(f.label)),
            }
            for f in fields.FIELDS.values()
            if f.group == group
        ]

    others = [entry("in_list", _("On a list from a file")), entry("bucket", _("A random part"))]
    if data["segments"]:
        others.insert(0, entry("in_segment", _("In another segment")))
    sorted_by = [entry("cluster", c["title"], c["key"]) for c in data["clusterings"]]
    scores = [entry("score", p["title"], p["key"]) for p in data["predictions"]]
    return [
        {"label": _("What they did"), "items": [
            entry("bought", _("Bought something")),
            entry("ordered", _("Spent, units or orders over a time")),
            entry("did", _("An event")),
            entry("sequence", _("Events one after another")),
        ]},
        {"label": _("Messages"), "items": [
            entry("message", _("Got, opened or clicked a message")),
        ]},
        {"label": fields.GROUPS[fields.WHO], "items": [
            *of(fields.WHO), entry("attribute", _("Something else you keep about them")),
        ]},
        {"label": fields.GROUPS[fields.BOUGHT], "items": of(fields.BOUGHT)},
        {"label": fields.GROUPS[fields.PREDICTED], "items": [
            *scores, *sorted_by,
            entry("lifecycle", _("Lifecycle stage")), entry("rfm", _("RFM scores")),
            *of(fields.PREDICTED),
        ]},
        {"label": fields.GROUPS[fields.CONSENT], "items": [
            entry("reach", _("Can be reached on a channel")),
            entry("consent", _("Said yes or no")), *of(fields.CONSENT),
        ]},
        {"label": _("Groups of people"), "items": others},
    ]  # fmt: skip


def _said(words: Any) -> dict[str, str]:
    return {key: str(word) for key, word in words.items()}


def _pairs(words: Any) -> list[tuple[str, str]]:
    return [(key, str(word)) for key, word in words.items()]
