"""The phrases that clauses are made of: comparisons, how often, when, and with what."""

from collections.abc import Callable
from dataclasses import dataclass

from campaigns.segments.nodes import Ago, Calendar, Dates, Last, Span, Value, When, Where


def _as_written(kind: str, key: str | int) -> str:
    return str(key)


@dataclass(frozen=True, slots=True)
class Words:
    """What the sentence is made of: `label` names a field, `segment` names a segment, `number`
    writes a number, `named` says what a purpose, prediction, campaign, stage or list is called.
    """

    gettext: Callable[[str], str]
    ngettext: Callable[[str, str, int], str]
    label: Callable[[str], str]
    segment: Callable[[int], str]
    number: Callable[[int | float], str]
    named: Callable[[str, str | int], str] = _as_written


def compare(label: str, op: str, value: Value, words: Words, *, own: bool = False) -> str:
    """A comparison of a field, or of the shop's `own` attribute."""
    gettext = words.gettext
    if isinstance(value, bool):
        if own:
            said = gettext("%(field)s is true") if value else gettext("%(field)s is false")
            return said % {"field": label}
        if value:
            return gettext("they %(field)s") % {"field": label}
        return gettext("it is not so that they %(field)s") % {"field": label}
    values: dict[str, object] = {"field": label, "value": say(value, words)}
    if op == "between" and isinstance(value, tuple):
        values |= {"low": say(value[0], words), "high": say(value[1], words)}
    if op in ("during", "not_during"):
        values["value"] = _stretch(str(value), words)
    if op == "anniversary_within" and value == 0:
        return gettext("the day of %(field)s comes round today") % values
    return {
        "<": gettext("%(field)s is under %(value)s"),
        "<=": gettext("%(field)s is at most %(value)s"),
        "=": gettext("%(field)s is %(value)s"),
        "!=": gettext("%(field)s is not %(value)s"),
        ">=": gettext("%(field)s is at least %(value)s"),
        ">": gettext("%(field)s is over %(value)s"),
        "between": gettext("%(field)s is from %(low)s to %(high)s"),
        "known": gettext("%(field)s is known"),
        "unknown": gettext("%(field)s is not known"),
        "in": gettext("%(field)s is one of %(value)s"),
        "not_in": gettext("%(field)s is none of %(value)s"),
        "contains": gettext("%(field)s contains %(value)s"),
        "starts_with": gettext("%(field)s starts with %(value)s"),
        "before": gettext("%(field)s is before %(value)s"),
        "after": gettext("%(field)s is on or after %(value)s"),
        "within_days": gettext("%(field)s is in the last %(value)s days"),
        "not_within_days": gettext("%(field)s is not in the last %(value)s days"),
        "in_next_days": gettext("%(field)s is in the next %(value)s days"),
        "during": gettext("%(field)s is %(value)s"),
        "not_during": gettext("%(field)s is not %(value)s"),
        "anniversary_within": gettext("the day of %(field)s comes round within %(value)s days"),
    }[op] % values


def say(value: Value, words: Words) -> str:
    if isinstance(value, tuple):
        return listed([say(part, words) for part in value], words)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return words.number(value)
    return f"“{value}”" if value is not None else ""


def listed(parts: list[str], words: Words) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s, %(second)s") % {"first": text, "second": part}
    return text


def either(parts: tuple[str, ...], words: Words) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s or %(second)s") % {"first": text, "second": part}
    return text


def often(act: str, least: int, most: int | None, words: Words) -> str:
    """An act with how often, where at least once goes without saying."""
    values: dict[str, object] = {
        "act": act,
        "least": words.number(least),
        "most": words.number(most or 0),
    }
    if most is None:
        return act if least == 1 else words.gettext("%(act)s at least %(least)s times") % values
    if most == 0:
        return words.gettext("%(act)s not once") % values
    if least == most:
        return (
            words.ngettext("%(act)s exactly once", "%(act)s exactly %(most)s times", most) % values
        )
    if least == 0:
        return (
            words.ngettext("%(act)s at most once", "%(act)s at most %(most)s times", most) % values
        )
    return words.gettext("%(act)s %(least)s to %(most)s times") % values


def tested(act: str, tests: tuple[Where, ...], words: Words) -> str:
    for test in tests:
        act = words.gettext("%(act)s with %(test)s") % {"act": act, "test": where(test, words)}
    return act


def where(test: Where, words: Words) -> str:
    values = {"property": test.property, "value": say(test.value, words)}
    match test.op:
        case "known":
            return words.gettext("%(property)s present") % values
        case "contains":
            return words.gettext("%(property)s containing %(value)s") % values
        case "starts_with":
            return words.gettext("%(property)s starting with %(value)s") % values
        case "in":
            return words.gettext("%(property)s one of %(value)s") % values
        case "not_in":
            return words.gettext("%(property)s none of %(value)s") % values
        case "between" if isinstance(test.value, tuple):
            values |= {"low": say(test.value[0], words), "high": say(test.value[1], words)}
            return words.gettext("%(property)s from %(low)s to %(high)s") % values
    if isinstance(test.value, bool):
        values["value"] = "true" if test.value else "false"
    return f"{test.property} {test.op} {values['value']}"


def span(length: Span, words: Words) -> str:
    n = length.number
    return {
        "minutes": words.ngettext("%(n)s minute", "%(n)s minutes", n),
        "hours": words.ngettext("%(n)s hour", "%(n)s hours", n),
        "days": words.ngettext("%(n)s day", "%(n)s days", n),
        "weeks": words.ngettext("%(n)s week", "%(n)s weeks", n),
    }[length.unit] % {"n": words.number(n)}


def within(act: str, days: int | None, when: When, words: Words) -> str:
    """An act with the time asked about."""
    gettext, values = words.gettext, {"act": act}
    if days is not None:
        text = words.ngettext("%(act)s in the last day", "%(act)s in the last %(days)s days", days)
        return text % {"act": act, "days": words.number(days)}
    match when:
        case Last(length):
            return gettext("%(act)s in the last %(time)s") % {
                "act": act,
                "time": span(length, words),
            }
        case Ago(start, end):
            numbers = {"start": words.number(start), "end": words.number(end)}
            return gettext("%(act)s from %(start)s to %(end)s days ago") % (values | numbers)
        case Calendar(name):
            return gettext("%(act)s %(stretch)s") % (values | {"stretch": _stretch(name, words)})
        case Dates(since, None):
            return gettext("%(act)s since %(since)s") % (values | {"since": str(since)})
        case Dates(None, until):
            return gettext("%(act)s until %(until)s") % (values | {"until": str(until)})
        case Dates(since, until):
            days_said = {"since": str(since), "until": str(until)}
            return gettext("%(act)s from %(since)s to %(until)s") % (values | days_said)
    return act


def _stretch(name: str, words: Words) -> str:
    gettext = words.gettext
    return {
        "today": gettext("today"),
        "yesterday": gettext("yesterday"),
        "this_week": gettext("this week"),
        "last_week": gettext("last week"),
        "this_month": gettext("this month"),
        "last_month": gettext("last month"),
        "this_year": gettext("this year"),
        "last_year": gettext("last year"),
    }[name]
