"""Nodes written back as the JSON they are read from: `parse(to_json(node))` is the same node."""

from typing import Any as Anything

from campaigns.segments import nodes as n
from campaigns.segments.terms import NO_VALUE

Json = dict[str, Anything]


def to_json(node: n.Node) -> Json:
    """The rule as JSON data."""
    match node:
        case n.All(nodes):
            return {"all": [to_json(part) for part in nodes]}
        case n.Any(nodes):
            return {"any": [to_json(part) for part in nodes]}
        case n.Not(inner):
            return {"not": to_json(inner)}
        case n.Compare(field, op, value):
            return {"field": field, "op": op} | _value(op, value)
        case n.Attribute(name, kind, op, value):
            return {"attribute": name, "as": kind, "op": op} | _value(op, value)
        case n.Did():
            return {"did": node.event} | _times(node) | _time(node) | _where(node.where)
        case n.Sequence():
            return {"sequence": [_step(step) for step in node.steps]} | _time(node)
        case n.Bought(by, what):
            return {"bought": {by: True if by == "any" else what}} | _times(node) | _time(node)
        case n.Ordered(measure, op, value, where):
            asked = {"ordered": measure, "op": op} | _value(op, value)
            return asked | _time(node) | _where(where)
        case n.Message(act, campaign, channel):
            about = {"campaign": campaign, "channel": channel}
            named = {key: value for key, value in about.items() if value is not None}
            return {"message": act} | named | _times(node) | _time(node)
    return _short(node)


def _short(node: n.Node) -> Json:
    match node:
        case n.Reach(channel, purpose):
            return {"reach": channel, "purpose": purpose}
        case n.Consented(channel, purpose, answer):
            return {"consent": channel, "purpose": purpose, "answer": answer}
        case n.Score(prediction, op, value):
            return {"score": prediction, "op": op} | _value(op, value)
        case n.Rfm(r, f, m):
            wanted = {"r": r, "f": f, "m": m}
            return {"rfm": {key: list(scores) for key, scores in wanted.items() if scores}}
        case n.Lifecycle(stages):
            return {"lifecycle": list(stages)}
        case n.Cluster(clustering, numbers):
            return {"cluster": clustering, "in": list(numbers)}
        case n.Bucket(salt, start, end):
            return {"bucket": salt, "from": start, "to": end}
        case n.InList(id):
            return {"in_list": id}
        case n.InSegment(id):
            return {"in_segment": id}
    raise AssertionError(node)


def _value(op: str, value: n.Value) -> Json:
    if op in NO_VALUE:
        return {}
    return {"value": list(value) if isinstance(value, tuple) else value}


def _where(tests: tuple[n.Where, ...]) -> Json:
    if not tests:
        return {}
    return {"where": [{"property": t.property, "op": t.op} | _value(t.op, t.value) for t in tests]}


def _times(node: n.Did | n.Bought | n.Message) -> Json:
    least: Json = {"at_least": node.at_least}
    return least if node.at_most is None else least | {"at_most": node.at_most}


def _time(node: n.Did | n.Sequence | n.Bought | n.Ordered | n.Message) -> Json:
    return {"days": node.days} if node.when is None else {"when": _when(node.when)}


def _when(when: n.When) -> Json:
    match when:
        case n.Last(span):
            return {"last": _span(span)}
        case n.Ago(start, end):
            return {"days_ago": [start, end]}
        case n.Calendar(name):
            return {"calendar": name}
        case n.Dates(since, until):
            days = {"since": since, "until": until}
            return {key: day for key, day in days.items() if day is not None}
    raise AssertionError(when)


def _span(span: n.Span) -> Json:
    return {span.unit: span.number}


def _step(step: n.Step) -> Json:
    within: Json = {} if step.within is None else {"within": _span(step.within)}
    return {"did_not" if step.absent else "did": step.event} | _where(step.where) | within
