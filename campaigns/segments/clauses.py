"""Each question of a rule as a clause of a sentence. Pure, like `wording.py`."""

from campaigns.segments.nodes import (
    Attribute,
    Bought,
    Bucket,
    Cluster,
    Compare,
    Consented,
    Did,
    InList,
    InSegment,
    Lifecycle,
    Message,
    Node,
    Ordered,
    Reach,
    Rfm,
    Score,
    Sequence,
    Step,
)
from campaigns.segments.phrases import (
    Words,
    compare,
    either,
    listed,
    often,
    say,
    span,
    tested,
    within,
)


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
            return gettext("their stage is %(stages)s") % {"stages": either(named, words)}
        case Cluster(clustering, numbers):
            said = tuple(f"“{words.named('group', f'{clustering}/{n}')}”" for n in numbers)
            return gettext("they are in the group %(groups)s of “%(clusters)s”") % {
                "groups": either(said, words),
                "clusters": words.named("clustering", clustering),
            }
        case Bucket(salt, start, end):
            return gettext(
                "they are in the part from %(low)s to %(high)s per cent drawn by “%(salt)s”"
            ) % {"salt": salt, "low": words.number(start), "high": words.number(end)}
        case InList(id):
            return gettext("they are on the list “%(list)s”") % {"list": words.named("list", id)}
        case InSegment(id):
            return gettext("they are in “%(segment)s”") % {"segment": words.segment(id)}
    raise AssertionError(node)


def did(node: Did, words: Words) -> str:
    if node.at_most is None:
        text = words.ngettext(
            "they did “%(event)s” at least once",
            "they did “%(event)s” at least %(times)s times",
            node.at_least,
        ) % {"event": node.event, "times": words.number(node.at_least)}
    else:
        act = words.gettext("they did “%(event)s”") % {"event": node.event}
        text = often(act, node.at_least, node.at_most, words)
    return within(tested(text, node.where, words), node.days, node.when, words)


def sequence(node: Sequence, words: Words) -> str:
    first, *later = node.steps
    act = words.gettext("they did “%(event)s”") % {"event": first.event}
    text = within(tested(act, first.where, words), node.days, node.when, words)
    for step in later:
        text = _then(text, step, words)
    return text


def _then(before: str, step: Step, words: Words) -> str:
    values = {"before": before, "event": tested(f"“{step.event}”", step.where, words)}
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


def bought(node: Bought, words: Words) -> str:
    ngettext, what = words.ngettext, f"“{node.value}”"
    if node.at_most is not None:
        act = {
            "any": words.gettext("they ordered"),
            "sku": words.gettext("they ordered product %(what)s"),
            "category": words.gettext("they ordered from the category %(what)s"),
        }[node.by] % {"what": what}
        return within(often(act, node.at_least, node.at_most, words), node.days, node.when, words)
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
    label = within(tested(label, node.where, words), node.days, node.when, words)
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
    return within(often(act, node.at_least, node.at_most, words), node.days, node.when, words)


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
        % {"score": name, "values": either(tuple(words.number(v) for v in values), words)}
        for name, values in asked
        if values
    ]
    return gettext("their scores are %(scores)s") % {"scores": listed(parts, words)}
