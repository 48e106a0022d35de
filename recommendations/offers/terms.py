"""A plan's offers as they are stored: read, checked, and refused with the offer at fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from ingestion.preprocess import codes
from marketing.core.errors import Invalid
from recommendations.models import OfferPlan
from recommendations.offers import suitability
from recommendations.offers.suitability import Rule

MOST, RULES_MOST, TEXT, VALUES_MOST = 20, 20, 100, 200
# Each person's first so many stored picks are offers of a plan for goods.
PLACES = 5
# What must be asked before a financial product may be offered.
NEEDED = ("risk_class", "age")
PICKS, SCORE = "picks", "score"
FIELDS = ("name", "source", "prediction", "sku", "value", "discount", "discount_percent", "rules")


@dataclass(frozen=True)
class Offer:
    """Something to offer: what the engine picks for each person (`picks`), or one thing whose
    chance a prediction tells (`score`).

    `value`: what a sale leaves the shop before the discount, in the plan's money (None: by the
    product's price and margin). The discount is money, or percent of the price.
    """

    name: str
    source: str = PICKS
    prediction: str = ""
    sku: str = ""
    value: float | None = None
    discount: float = 0.0
    discount_percent: float = 0.0
    rules: tuple[Rule, ...] = ()

    @property
    def discounted(self) -> bool:
        return self.discount > 0 or self.discount_percent > 0

    def stored(self) -> dict[str, Any]:
        """As JSON, without what was left empty."""
        rules = [
            {"op": r.op, "value": [*r.value] if isinstance(r.value, tuple) else r.value}
            | ({"field": r.field} if r.field else {})
            for r in self.rules
        ]
        found = {name: getattr(self, name) for name in FIELDS[:-1]} | {"rules": rules}
        return {k: v for k, v in found.items() if v not in ("", None, 0.0, [])}


def read(raw: Any, *, kind: str) -> tuple[Offer, ...]:
    """Offers of JSON for a plan of this kind. Invalid names the offer and the field."""
    if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= MOST:
        raise _wrong("offers", _("Make between 1 and %(n)d offers.") % {"n": MOST})
    found = tuple(_offer(one, f"offers[{n}]", kind) for n, one in enumerate(raw))
    names = [one.name for one in found]
    for n, name in enumerate(names):
        if name in names[:n]:
            raise _wrong(f"offers[{n}].name", _("Two offers are called %(name)s.") % {"name": name})
    return found


def _wrong(field: str, message: str, remedy: str = "") -> Invalid:
    return Invalid(message, code="bad_offer", field=field, remedy=remedy or None)


def _offer(raw: Any, at: str, kind: str) -> Offer:
    if not isinstance(raw, dict):
        raise _wrong(at, _("Send one JSON object."))
    for name in raw:
        if name not in FIELDS:
            raise _wrong(f"{at}.{name[:40]}", _("There is no such field."))
    source = raw.get("source", PICKS)
    if source not in (PICKS, SCORE):
        raise _wrong(
            f"{at}.source", _("Choose one of: %(names)s.") % {"names": f"{PICKS}, {SCORE}"}
        )
    made = Offer(
        name=_text(raw, "name", at, needed=True),
        source=source,
        prediction=_text(raw, "prediction", at, needed=source == SCORE),
        sku=codes.unify(_text(raw, "sku", at)),
        value=_number(raw, "value", at, 1e9) if raw.get("value") is not None else None,
        discount=_number(raw, "discount", at, 1e9),
        discount_percent=_number(raw, "discount_percent", at, 100.0),
        rules=_rules(raw.get("rules", []), at),
    )
    if made.discount and made.discount_percent:
        raise _wrong(f"{at}.discount", _("Give the discount in money or in percent, not both."))
    if source == PICKS and (made.sku or made.prediction):
        raise _wrong(f"{at}.source", _("Picks name their products and chances themselves."))
    if source == SCORE and made.value is None and not made.sku:
        raise _wrong(f"{at}.value", _("Say what a sale is worth, or name the product."))
    if made.discount_percent and made.value is not None and not made.sku:
        raise _wrong(f"{at}.discount_percent", _("Percent needs a product with a price."))
    if kind == OfferPlan.Kind.FINANCIAL:
        _mind_suitability(made, at)
    return made


def _mind_suitability(made: Offer, at: str) -> None:
    if made.source == PICKS:
        raise _wrong(
            f"{at}.source",
            _("A financial product is named, never picked by an engine."),
            _("Name its prediction and its rules."),
        )
    asked = {rule.field for rule in made.rules}
    for field in NEEDED:
        if field not in asked:
            raise _wrong(
                f"{at}.rules",
                _("A financial product needs a rule about %(field)s.") % {"field": field},
                _("Nobody is offered one without knowing that it suits them."),
            )


def _rules(raw: Any, at: str) -> tuple[Rule, ...]:
    if not isinstance(raw, list | tuple) or len(raw) > RULES_MOST:
        raise _wrong(f"{at}.rules", _("Make at most %(n)d rules.") % {"n": RULES_MOST})
    return tuple(_rule(one, f"{at}.rules[{n}]") for n, one in enumerate(raw))


def _rule(raw: Any, at: str) -> Rule:
    if not isinstance(raw, dict) or set(raw) - {"field", "op", "value"}:
        raise _wrong(at, _("A rule has a field, an op and a value."))
    op, value = raw.get("op"), raw.get("value")
    if op not in suitability.OPS:
        raise _wrong(
            f"{at}.op", _("Choose one of: %(names)s.") % {"names": ", ".join(suitability.OPS)}
        )
    field = "" if op in suitability.HOLDINGS else _text(raw, "field", at, needed=True)
    if op in suitability.NUMBERS:
        return Rule(op, _number(raw, "value", at, 1e12, needed=True), field)
    texts = (
        [v for v in value if isinstance(v, str) and 0 < len(v) <= TEXT]
        if isinstance(value, list | tuple)
        else []
    )
    if not isinstance(value, list | tuple) or not 1 <= len(texts) == len(value) <= VALUES_MOST:
        raise _wrong(f"{at}.value", _("Give a list of at most %(n)d texts.") % {"n": VALUES_MOST})
    found = [codes.unify(text) for text in texts] if op in suitability.HOLDINGS else texts
    return Rule(op, tuple(dict.fromkeys(found)), field)


def _text(raw: Mapping[str, Any], name: str, at: str, *, needed: bool = False) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str) or len(value) > TEXT or "\0" in value:
        raise _wrong(
            f"{at}.{name}", _("This must be a text of at most %(n)d characters.") % {"n": TEXT}
        )
    value = " ".join(value.split())
    if needed and not value:
        raise _wrong(f"{at}.{name}", _("This is missing."))
    return value


def _number(
    raw: Mapping[str, Any], name: str, at: str, most: float, *, needed: bool = False
) -> float:
    value = raw.get(name, None if needed else 0.0)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= float(value) <= most:
        raise _wrong(
            f"{at}.{name}",
            _("This must be a number from 0 to %(most)s.") % {"most": f"{most:,.0f}"},
        )
    return float(value)


def fields_of(offers: Sequence[Offer]) -> list[str]:
    """What the rules ask of people."""
    return sorted({rule.field for one in offers for rule in one.rules if rule.field})


def holdings_of(offers: Sequence[Offer]) -> list[str]:
    """The stock codes that the rules ask after."""
    return sorted(
        {code for o in offers for r in o.rules if r.op in suitability.HOLDINGS for code in r.value}
    )
