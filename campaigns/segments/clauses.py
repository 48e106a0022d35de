"""Each question of a rule as a clause of a sentence. Pure, like `wording.py`."""

from collections.abc import Callable
from dataclasses import dataclass

from campaigns.segments.nodes import (
    Ago,
    Attribute,
    Bought,
    Bucket,
    Calendar,
    Compare,
    Consented,
    Dates,
    Did,
    InList,
    InSegment,
    Last,
    Lifecycle,
    Message,
    Node,
    Ordered,
    Reach,
    Rfm,
    Score,
    Sequence,
    Span,
    Step,
    Value,
    When,
    Where,
)


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


def leaf(node: Node, words: Words) -> str:
    """One question as a clause, such as “they ordered at least 2 times”."""
    gettext = words.gettext
    match node:
        case Compare():
            label = words.label(node.field)
            return compare(label, node.op, node.value, words)
        case Attribute():
            return compare(f"“{node.name}”", node.op, node.value, words, own=True)
        case Did():
            return did(node, words)
        case Sequence():
            return sequence(node, words)
        case Bought():
            return bought(node, words)
        case Ordered():
            return ordered(node, words)
        case Message():
            return message(node, words)
        case Reach(channel, purpose):
            return gettext("they can be reached by %(channel)s for “%(purpose)s”") % {
                "channel": words.named("channel", channel),
                "purpose": words.named("purpose", purpose),
            }
        case Consented():
            return consented(node, words)
        case Score():
            return score(node, words)
        case Rfm():
            return rfm(node, words)
        case Lifecycle(stages):
            named = tuple(words.named("stage", stage) for stage in stages)
            return gettext("their stage is %(stages)s") % {"stages": _or(named, words)}
        case Bucket(salt, start, end):
            return gettext(
                "they are in the part from %(low)s to %(high)s per cent drawn by “%(salt)s”"
            ) % {"salt": salt, "low": words.number(start), "high": words.number(end)}
        case InList(id):
            return gettext("they are on the list “%(list)s”") % {"list": words.named("list", id)}
        case InSegment(id):
            return gettext("they are in “%(segment)s”") % {"segment": words.segment(id)}
    raise AssertionError(node)


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
        return _listed([say(part, words) for part in value], words)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return words.number(value)
    return f"“{value}”" if value is not None else ""


def _listed(parts: list[str], words: Words) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s, %(second)s") % {"first": text, "second": part}
    return text


def _or(parts: tuple[str, ...], words: Words) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s or %(second)s") % {"first": text, "second": part}
    return text


def _often(act: str, least: int, most: int | None, words: Words) -> str:
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


def did(node: Did, words: Words) -> str:
    if node.at_most is None:
        text = words.ngettext(
            "they did “%(event)s” at least once",
            "they did “%(event)s” at least %(times)s times",
            node.at_least,
        ) % {"event": node.event, "times": words.number(node.at_least)}
    else:
        act = words.gettext("they did “%(event)s”") % {"event": node.event}
        text = _often(act, node.at_least, node.at_most, words)
    return within(_tested(text, node.where, words), node.days, node.when, words)


def _tested(act: str, tests: tuple[Where, ...], words: Words) -> str:
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


def sequence(node: Sequence, words: Words) -> str:
    first, *later = node.steps
    act = words.gettext("they did “%(event)s”") % {"event": first.event}
    text = within(_tested(act, first.where, words), node.days, node.when, words)
    for step in later:
        text = _then(text, step, words)
    return text


def _then(before: str, step: Step, words: Words) -> str:
    values = {"before": before, "event": _tested(f"“{step.event}”", step.where, words)}
    if step.within is None:
        said = (
            words.gettext("%(before)s and then not %(event)s")
            if step.absent
            else words.gettext("%(before)s and then %(event)s")
        )
        return said % values
    values["time"] = span(step.within, words)
    said = (
        words.gettext("%(before)s and then not %(event)s within %(time)s")
        if step.absent
        else words.gettext("%(before)s and then %(event)s within %(time)s")
    )
    return said % values


def span(length: Span, words: Words) -> str:
    n = length.number
    return {
        "minutes": words.ngettext("%(n)s minute", "%(n)s minutes", n),
        "hours": words.ngettext("%(n)s hour", "%(n)s hours", n),
        "days": words.ngettext("%(n)s day", "%(n)s days", n),
        "weeks": words.ngettext("%(n)s week", "%(n)s weeks", n),
    }[length.unit] % {"n": words.number(n)}


def bought(node: Bought, words: Words) -> str:
    ngettext, what = words.ngettext, f"“{node.value}”"
    if node.at_most is not None:
        act = {
            "any": words.gettext("they ordered"),
            "sku": words.gettext("they ordered product %(what)s"),
            "category": words.gettext("they ordered from the category %(what)s"),
        }[node.by] % {"what": what}
        return within(_often(act, node.at_least, node.at_most, words), node.days, node.when, words)
    if node.by == "any":
        text = ngettext(
            "they ordered at least once", "they ordered at least %(times)s times", node.at_least
        )
    elif node.by == "sku":
        text = ngettext(
            "they bought product %(what)s at least once",
            "they bought product %(what)s in at least %(times)s orders",
            node.at_least,
        )
    else:
        text = ngettext(
            "they bought from the category %(what)s at least once",
            "they bought from the category %(what)s in at least %(times)s orders",
            node.at_least,
        )
    values = {"what": what, "times": words.number(node.at_least)}
    return within(text % values, node.days, node.when, words)


def ordered(node: Ordered, words: Words) -> str:
    gettext = words.gettext
    label = {
        "orders": gettext("the number of their orders"),
        "lines": gettext("the number of their order lines"),
        "units": gettext("the number of units they bought"),
        "money": gettext("the money they spent"),
        "products": gettext("the number of different products they bought"),
        "average": gettext("their average order value"),
    }[node.measure]
    label = within(_tested(label, node.where, words), node.days, node.when, words)
    return compare(label, node.op, node.value, words)


def message(node: Message, words: Words) -> str:
    gettext = words.gettext
    if node.campaign is None:
        what = gettext("a message")
    else:
        what = gettext("a message of “%(campaign)s”") % {
            "campaign": words.named("campaign", node.campaign)
        }
    if node.channel is not None:
        what = gettext("%(what)s by %(channel)s") % {
            "what": what,
            "channel": words.named("channel", node.channel),
        }
    act = {
        "sent": gettext("they were sent %(what)s"),
        "opened": gettext("they opened %(what)s"),
        "clicked": gettext("they clicked in %(what)s"),
        "failed": gettext("%(what)s to them failed"),
        "held_out": gettext("they were held out of %(what)s"),
    }[node.act] % {"what": what}
    return within(_often(act, node.at_least, node.at_most, words), node.days, node.when, words)


def consented(node: Consented, words: Words) -> str:
    gettext = words.gettext
    return {
        "yes": gettext("they agreed to “%(purpose)s” by %(channel)s"),
        "no": gettext("they said no to “%(purpose)s” by %(channel)s"),
        "never_asked": gettext("they were never asked about “%(purpose)s” by %(channel)s"),
    }[node.answer] % {
        "purpose": words.named("purpose", node.purpose),
        "channel": words.named("channel", node.channel),
    }


def score(node: Score, words: Words) -> str:
    gettext = words.gettext
    label = f"“{words.named('prediction', node.prediction)}”"
    if node.op in ("top", "bottom"):
        said = (
            gettext("they are in the highest %(percent)s per cent of %(prediction)s")
            if node.op == "top"
            else gettext("they are in the lowest %(percent)s per cent of %(prediction)s")
        )
        return said % {"prediction": label, "percent": say(node.value, words)}
    if node.op == "in_days" and isinstance(node.value, tuple):
        return gettext("%(prediction)s is %(low)s to %(high)s days from now") % {
            "prediction": label,
            "low": say(node.value[0], words),
            "high": say(node.value[1], words),
        }
    return compare(label, node.op, node.value, words)


def rfm(node: Rfm, words: Words) -> str:
    gettext = words.gettext
    asked = [
        (gettext("recency"), node.r),
        (gettext("frequency"), node.f),
        (gettext("money"), node.m),
    ]
    parts = [
        gettext("%(score)s %(values)s")
        % {"score": name, "values": _or(tuple(words.number(v) for v in values), words)}
        for name, values in asked
        if values
    ]
    return gettext("their scores are %(scores)s") % {"scores": _listed(parts, words)}


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
