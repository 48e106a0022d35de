"""Rules, settings and faults of recipes → sentences that a marketer can read."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ingestion.imports import wording
from ingestion.models import RecipeVersion
from ingestion.preprocess.recipe import nodes, parsing

# rule → (name, what it is good for, icon, group)
RULES: dict[str, tuple[Any, Any, str, str]] = {
    "trim": (
        gettext_lazy("Cut spaces at the ends"),
        gettext_lazy("Removes spaces before and after a text."),
        "columns-2",
        "text",
    ),
    "collapse": (
        gettext_lazy("Single spaces"),
        gettext_lazy("Turns runs of spaces, also invisible ones, into one."),
        "separator",
        "text",
    ),
    "case": (
        gettext_lazy("Capitals"),
        gettext_lazy("Writes texts in small letters, capitals, or With A Capital Each."),
        "letter-case",
        "text",
    ),
    "map": (
        gettext_lazy("Replace by a table"),
        gettext_lazy("Swaps values one by one: “Ltd” becomes “Limited”."),
        "list-details",
        "text",
    ),
    "split": (
        gettext_lazy("Split a column"),
        gettext_lazy("Cuts one text into several columns at a sign."),
        "columns-3",
        "text",
    ),
    "fill": (
        gettext_lazy("Fill empty cells"),
        gettext_lazy("Takes another column of the same row, or one text for all."),
        "plus",
        "text",
    ),
    "email": (
        gettext_lazy("E-mail addresses"),
        gettext_lazy("Small letters, no spaces, one spelling per address."),
        "mail",
        "known",
    ),
    "phone": (
        gettext_lazy("Phone numbers"),
        gettext_lazy("International form (E.164), with a country for numbers without a prefix."),
        "phone",
        "known",
    ),
    "country": (
        gettext_lazy("Countries"),
        gettext_lazy("Names and spellings become two-letter codes."),
        "world",
        "known",
    ),
    "date": (
        gettext_lazy("Dates"),
        gettext_lazy("Reads a date form and time zone of its own for a column."),
        "calendar",
        "known",
    ),
    "units": (
        gettext_lazy("Units"),
        gettext_lazy("One unit for all: 0.5 kg becomes 500 (g), 3 dozen becomes 36."),
        "gauge",
        "numbers",
    ),
    "currency": (
        gettext_lazy("Convert currencies"),
        gettext_lazy("By your rates of the day. What the amount was is kept beside it."),
        "arrows-exchange",
        "numbers",
    ),
    "outliers": (
        gettext_lazy("Unusual numbers"),
        gettext_lazy("Flags, limits or sets aside what is far outside of everything else."),
        "alert-triangle",
        "numbers",
    ),
    "impute": (
        gettext_lazy("Estimate missing values"),
        gettext_lazy("Fills gaps with what is usual, for all or per group. Always counted."),
        "wand",
        "numbers",
    ),
    "derive": (
        gettext_lazy("Compute a column"),
        gettext_lazy("From others: round(total / quantity, 2)."),
        "numbers",
        "numbers",
    ),
    "deduplicate": (
        gettext_lazy("Keep one of equal rows"),
        gettext_lazy("Looks at the columns you choose, over the whole file."),
        "copy",
        "rows",
    ),
    "drop_rows": (
        gettext_lazy("Leave rows out"),
        gettext_lazy("Rows for which a condition holds: test orders, staff, empty lines."),
        "filter",
        "rows",
    ),
    "rename": (
        gettext_lazy("Rename a column"),
        gettext_lazy("The old name is gone from here on."),
        "pencil",
        "rows",
    ),
    "drop_columns": (
        gettext_lazy("Take columns out"),
        gettext_lazy("What must not come in at all."),
        "trash",
        "rows",
    ),
}
GROUPS = {
    "text": gettext_lazy("Texts"),
    "known": gettext_lazy("Things with a known form"),
    "numbers": gettext_lazy("Numbers and money"),
    "rows": gettext_lazy("Rows and columns"),
}
SETTINGS = {
    "columns": gettext_lazy("Columns"),
    "column": gettext_lazy("Column"),
    "to": gettext_lazy("Into"),
    "otherwise": gettext_lazy("If it cannot be read"),
    "country": gettext_lazy("Country of numbers without a prefix"),
    "style": gettext_lazy("Date form"),
    "zone": gettext_lazy("Time zone"),
    "usual": gettext_lazy("Unit where none is written"),
    "amount": gettext_lazy("Amount"),
    "currency": gettext_lazy("Its currency"),
    "date": gettext_lazy("Day of the rate"),
    "keep": gettext_lazy("Keep"),
    "method": gettext_lazy("Method"),
    "width": gettext_lazy("How far is too far"),
    "action": gettext_lazy("What to do"),
    "value": gettext_lazy("Text"),
    "group": gettext_lazy("Per"),
    "table": gettext_lazy("Old value = new value, one per line"),
    "other": gettext_lazy("From column"),
    "separator": gettext_lazy("At"),
    "into": gettext_lazy("New columns"),
    "expression": gettext_lazy("Expression"),
    "where": gettext_lazy("Condition"),
}
CHOICES = {
    "keep": gettext_lazy("keep it as it is"),
    "empty": gettext_lazy("leave it empty"),
    "quarantine": gettext_lazy("set the row aside"),
    "lower": gettext_lazy("small letters"),
    "upper": gettext_lazy("CAPITALS"),
    "title": gettext_lazy("A Capital Each"),
    "first": gettext_lazy("the first"),
    "last": gettext_lazy("the last"),
    "mad": gettext_lazy("distance from the median"),
    "iqr": gettext_lazy("distance from the middle half"),
    "flag": gettext_lazy("flag it"),
    "clip": gettext_lazy("move it to the limit"),
    "constant": gettext_lazy("one text"),
    "median": gettext_lazy("the median"),
    "mode": gettext_lazy("the most frequent"),
    "": gettext_lazy("the same"),
}


def title(kind: str) -> str:
    """A rule's name."""
    return str(RULES[kind][0]) if kind in RULES else kind


def choice(value: str) -> str:
    """One of the values a setting may have."""
    return str(CHOICES.get(value, value))


def setting(name: str) -> str:
    """A setting's name."""
    return str(SETTINGS.get(name, name))


def _columns(names: Any) -> str:
    return ", ".join(wording.field(name) for name in names)


def sentence(rule: nodes.Rule) -> str:
    """What a rule does, with its settings."""
    f = wording.field
    match rule:
        case nodes.Case():
            return f"{_columns(rule.columns)} → {choice(rule.to)}"
        case nodes.Date():
            return _("%(columns)s: %(style)s, %(zone)s") % {
                "columns": _columns(rule.columns),
                "style": rule.style,
                "zone": rule.zone,
            }
        case nodes.Phone():
            return f"{_columns(rule.columns)} ({rule.country})"
        case nodes.Units():
            return f"{f(rule.column)} → {rule.to}"
        case nodes.Currency():
            return f"{f(rule.amount)}, {f(rule.currency)} → {rule.to}"
        case nodes.Deduplicate():
            return _("%(columns)s: %(which)s") % {
                "columns": _columns(rule.columns),
                "which": choice(rule.keep),
            }
        case nodes.Outliers():
            return f"{f(rule.column)}: {choice(rule.action)}"
        case nodes.Impute():
            how = rule.value if rule.method == "constant" else choice(rule.method)
            per = _(" per %(group)s") % {"group": f(rule.group)} if rule.group else ""
            return f"{f(rule.column)}: {how}{per}"
        case nodes.Map():
            return ngettext(
                "%(column)s: %(n)d value", "%(column)s: %(n)d values", len(rule.table)
            ) % {"column": f(rule.column), "n": len(rule.table)}
        case nodes.Fill():
            return f"{f(rule.column)} ← {f(rule.other) if rule.other else rule.value}"
        case nodes.Split():
            return f"{f(rule.column)} → {_columns(rule.into)}"
        case nodes.Rename():
            return f"{f(rule.column)} → {f(rule.to)}"
        case nodes.Derive():
            return f"{f(rule.column)} = {rule.expression}"
        case nodes.DropRows():
            return rule.where
    return _columns(rule.columns)  # type: ignore[attr-defined]


def told(version: RecipeVersion | None) -> dict[str, tuple[str, str]]:
    """The rules of a version as an import reports them: {code: (name, what it does)}."""
    rules = parsing.parse(version.body).rules if version is not None else ()
    return {
        f"recipe:{rule.id}": (
            _("Recipe: %(rule)s") % {"rule": title(nodes.NAMES[type(rule)])},
            sentence(rule),
        )
        for rule in rules
    }


def rows_of(entry: Mapping[str, Any]) -> int:
    """The rows that a rule met, whatever it did to them."""
    return sum(entry.get(name, 0) for name in ("rows", "left_out", "quarantined", "duplicate"))


def fault(code: str, path: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """(what is wrong, what to do) for a recipe that cannot be used."""
    table = {
        "missing": (_("This may not be empty."), _("Fill it in.")),
        "unknown_rule": (_("There is no rule “%(value)s”."), _("Choose one from the list.")),
        "unknown_setting": (_("This setting does not exist."), _("Take it out.")),
        "too_many": (_("There are more than %(limit)s."), _("Take some out.")),
        "too_long": (_("This is longer than %(limit)s characters."), _("Shorten it.")),
        "name_twice": (_("“%(value)s” is there twice."), _("Take one out.")),
        "not_a_choice": (_("“%(value)s” cannot be chosen here."), _("Choose from the list.")),
        "bad_country": (_("“%(value)s” is no country."), _("Use a code such as GB.")),
        "bad_currency": (_("“%(value)s” is no currency."), _("Use a code such as GBP.")),
        "bad_zone": (_("“%(value)s” is no time zone."), _("Use a name such as Europe/London.")),
        "not_a_number": (_("This is not a number."), _("Write digits only.")),
        "out_of_range": (_("This lies outside of %(low)s to %(high)s."), _("Correct it.")),
        "units_differ": (_("“%(value)s” measures something else."), _("Choose a unit of a kind.")),
        "not_a_pair": (_("Each line needs an old and a new value."), _("Write old = new.")),
        "bad_sign": (_("This holds a sign that cannot be stored."), _("Take it out.")),
        "expression_empty": (_("The expression is empty."), _("Write one, for example a + b.")),
        "expression_cut_off": (_("The expression ends too early."), _("Complete it.")),
        "expression_long": (_("The expression is too long."), _("Split it into several rules.")),
        "expression_large": (_("The expression is too large."), _("Split it into several rules.")),
        "expression_deep": (_("Too many brackets inside of each other."), _("Split it.")),
        "unexpected_sign": (
            _("“%(sign)s” at character %(at)s is not expected there."),
            _("Names with spaces stand in [square brackets], texts in quotation marks."),
        ),
        "sign_missing": (_("“%(sign)s” is missing at character %(at)s."), _("Add it.")),
        "unknown_function": (
            _("There is no function “%(name)s”."),
            _("The list below has them all."),
        ),
        "argument_count": (
            _("%(name)s takes %(wanted)s values."),
            _("Separate them by commas."),
        ),
        "wrong_type": (
            _("At character %(at)s a %(wanted)s is needed and a %(found)s was given."),
            _("Use number(…), date(…) or text(…)."),
        ),
        "not_a_test": (
            _("This is a value, not a condition."),
            _("Compare it: quantity < 1."),
        ),
    }
    message, remedy = table.get(code, (_("This cannot be read."), _("Correct it.")))
    values = {"value": "", "sign": "", "at": "", "name": "", "limit": "", **facts}
    return message % values, remedy
