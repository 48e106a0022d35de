"""How each question about a person is read from JSON. The grammar is in `rules.py`."""

import difflib
from collections.abc import Callable, Mapping

from campaigns.segments import terms
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
    Leaf,
    Lifecycle,
    Message,
    Ordered,
    Reach,
    Rfm,
    Score,
    Sequence,
    Step,
    Where,
)
from campaigns.segments.terms import (
    DATE,
    FLAG,
    MAX_ID,
    NUMBER,
    OPS,
    TEXT,
    RuleFault,
    allow,
    gettext_noop,
    join,
    list_of,
    name_of,
    number_of,
    one_of,
    pair_of,
    span_of,
    tests_of,
    text_of,
    time_of,
    times_of,
    value_of,
    where_of,
    whole,
)

Data = dict[str, object]

BOUGHT_BY = ("sku", "category", "any")
MAX_STEPS = 5
MAX_GROUP = 32_767
MEASURES = ("orders", "lines", "units", "money", "products", "average")
MEASURE_OPS = ("<", "<=", "=", "!=", ">=", ">", "between")
# What an order line can be asked for: its kind of value, by name.
LINE = {
    "sku": TEXT,
    "category": TEXT,
    "name": TEXT,
    "price": NUMBER,
    "quantity": NUMBER,
    "total": NUMBER,
    "order_total": NUMBER,
    "currency": TEXT,
    "country": TEXT,
}
LINE_OPS = {NUMBER: MEASURE_OPS, TEXT: ("=", "!=", "in", "not_in", "contains", "starts_with")}
ACTS = ("sent", "opened", "clicked", "failed", "held_out")
CHANNELS = ("email", "sms", "push")
ANSWERS = ("yes", "no", "never_asked")
SCORE_OPS = (*MEASURE_OPS, "top", "bottom", "in_days", "known", "unknown")
ATTRIBUTE_KINDS = (TEXT, NUMBER, FLAG, DATE)


def read_field(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("field", "op", "value"), path)
    name = text_of(data["field"], join(path, "field"))
    kind = kinds.get(name)
    if kind is None:
        here = join(path, "field")
        if meant := _meant(name, kinds):
            raise RuleFault(
                here,
                gettext_noop("There is no field called “%(name)s”. Did you mean “%(meant)s”?"),
                name=name[:80],
                meant=meant,
            )
        raise RuleFault(here, gettext_noop("There is no field called “%(name)s”."), name=name[:80])
    op = _asked(data.get("op"), name, OPS[kind], path)
    return Compare(name, op, value_of(data, op, kind, path))


def _meant(name: str, kinds: Mapping[str, str]) -> str | None:
    """The field whose last word this is, or that is written nearly like it."""
    last = next((known for known in kinds if known.rpartition(".")[2] == name), None)
    return last or next(iter(difflib.get_close_matches(name[:80], kinds, 1)), None)


def _asked(op: object, name: str, ops: tuple[str, ...], path: str) -> str:
    text = text_of(op, join(path, "op"))
    if text not in ops:
        raise RuleFault(
            join(path, "op"),
            gettext_noop("“%(op)s” cannot be asked of %(name)s. Use one of: %(ops)s."),
            op=text[:40],
            name=name,
            ops=", ".join(ops),
        )
    return text


def read_attribute(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("attribute", "as", "op", "value"), path)
    name = name_of(data["attribute"], join(path, "attribute"))
    kind = one_of(data.get("as", TEXT), ATTRIBUTE_KINDS, join(path, "as"))
    ops = (*OPS[TEXT], "not_in") if kind == TEXT else OPS[kind]
    op = _asked(data.get("op"), name, ops, path)
    return Attribute(name, kind, op, value_of(data, op, kind, path))


def read_did(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("did", "at_least", "at_most", "days", "when", "where"), path)
    event = text_of(data["did"], join(path, "did"))
    tests = tests_of(data, path)
    least, most = times_of(data, path)
    days, when = time_of(data, path)
    return Did(event, least, days, tests, most, when)


def read_sequence(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("sequence", "days", "when"), path)
    here = join(path, "sequence")
    told = data["sequence"]
    if not isinstance(told, list) or not 2 <= len(told) <= MAX_STEPS:
        raise RuleFault(
            here, gettext_noop("This needs a list of 2 to %(limit)s steps."), limit=MAX_STEPS
        )
    steps = tuple(_step(step, f"{here}[{i}]", i == 0) for i, step in enumerate(told))
    days, when = time_of(data, path)
    return Sequence(steps, days, when)


def _step(data: object, path: str, first: bool) -> Step:
    if not isinstance(data, dict) or len({"did", "did_not"} & set(data)) != 1:
        raise RuleFault(path, gettext_noop("A step says what somebody did, or did not do."))
    absent = "did_not" in data
    key = "did_not" if absent else "did"
    allow(data, (key, "where", "within"), path)
    if first and absent:
        raise RuleFault(
            join(path, key), gettext_noop("A sequence begins with something that somebody did.")
        )
    if first and data.get("within") is not None:
        raise RuleFault(
            join(path, "within"), gettext_noop("The first step follows nothing, so it has no time.")
        )
    within = None if data.get("within") is None else span_of(data["within"], join(path, "within"))
    return Step(text_of(data[key], join(path, key)), tests_of(data, path), within, absent)


def read_bought(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    inner = data["bought"]
    here = join(path, "bought")
    fault = RuleFault(
        here, gettext_noop("Say what was bought: {“sku”: …}, {“category”: …} or {“any”: true}.")
    )
    if not isinstance(inner, dict):
        raise fault
    around = ("at_least", "at_most", "days", "when")
    allow(data, ("bought", *around), path)
    allow(inner, (*BOUGHT_BY, "at_least", "days"), here)
    by = [key for key in BOUGHT_BY if key in inner]
    if len(by) != 1:
        raise fault
    if by[0] == "any":
        if inner["any"] is not True:
            raise RuleFault(join(here, "any"), gettext_noop("This can only be true."))
        what = None
    else:
        what = text_of(inner[by[0]], join(here, by[0]))
    told = {key: inner[key] for key in ("at_least", "days") if key in inner}
    told |= {key: data[key] for key in around if key in data}
    least, most = times_of(told, path)
    days, when = time_of(told, path)
    return Bought(by[0], what, least, days, most, when)


def read_ordered(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("ordered", "op", "value", "where", "days", "when"), path)
    measure = one_of(data["ordered"], MEASURES, join(path, "ordered"))
    op = one_of(data.get("op"), MEASURE_OPS, join(path, "op"))
    value = value_of(data, op, NUMBER, path)
    tests = data.get("where", [])
    here = join(path, "where")
    if not isinstance(tests, list) or len(tests) > terms.MAX_TESTS:
        raise RuleFault(here, gettext_noop("This needs a list of at most 10 tests."))
    where = tuple(_line_test(test, f"{here}[{i}]") for i, test in enumerate(tests))
    days, when = time_of(data, path)
    return Ordered(measure, op, value, where, days, when)


def _line_test(data: object, path: str) -> Where:
    if not isinstance(data, dict):
        raise RuleFault(
            path, gettext_noop("A test on an order line names a column, a question and a value.")
        )
    allow(data, ("property", "op", "value"), path)
    name = text_of(data.get("property"), join(path, "property"))
    if name.startswith("product."):
        told = {**data, "property": name.removeprefix("product.")}
        test = where_of(told, path)
        return Where(name, test.op, test.value)
    name = one_of(name, tuple(LINE), join(path, "property"))
    op = _asked(data.get("op"), name, LINE_OPS[LINE[name]], path)
    return Where(name, op, value_of(data, op, LINE[name], path))


def read_message(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("message", "campaign", "channel", "at_least", "at_most", "days", "when"), path)
    act = one_of(data["message"], ACTS, join(path, "message"))
    number, channel = data.get("campaign"), data.get("channel")
    campaign = None if number is None else whole(number, join(path, "campaign"), 1, MAX_ID)
    least, most = times_of(data, path)
    days, when = time_of(data, path)
    told = None if channel is None else one_of(channel, CHANNELS, join(path, "channel"))
    return Message(act, campaign, told, least, most, days, when)


def read_reach(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("reach", "purpose"), path)
    channel = one_of(data["reach"], CHANNELS, join(path, "reach"))
    return Reach(channel, text_of(data.get("purpose", "marketing"), join(path, "purpose")))


def read_consent(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("consent", "purpose", "answer"), path)
    channel = one_of(data["consent"], CHANNELS, join(path, "consent"))
    purpose = text_of(data.get("purpose", "marketing"), join(path, "purpose"))
    return Consented(channel, purpose, one_of(data.get("answer"), ANSWERS, join(path, "answer")))


def read_score(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("score", "op", "value"), path)
    key = text_of(data["score"], join(path, "score"))
    op = one_of(data.get("op"), SCORE_OPS, join(path, "op"))
    here = join(path, "value")
    if op in ("top", "bottom"):
        return Score(key, op, whole(data.get("value"), here, 1, 100))
    if op == "in_days":
        return Score(key, op, pair_of(data.get("value"), here))
    return Score(key, op, value_of(data, op, NUMBER, path))


def read_rfm(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("rfm",), path)
    inner, here = data["rfm"], join(path, "rfm")
    if not isinstance(inner, dict) or not inner:
        raise RuleFault(here, gettext_noop("Say which scores: {“r”: [4, 5], “f”: [5]}."))
    allow(inner, ("r", "f", "m"), here)
    return Rfm(*(_scores(inner, key, here) for key in ("r", "f", "m")))


def _scores(inner: Data, key: str, path: str) -> tuple[int, ...]:
    if key not in inner:
        return ()
    here = join(path, key)
    found = list_of(inner[key], here, most=10)
    return tuple(sorted({whole(v, f"{here}[{i}]", 1, 10) for i, v in enumerate(found)}))


def read_lifecycle(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("lifecycle",), path)
    here = join(path, "lifecycle")
    told = data["lifecycle"]
    found = list_of([told] if isinstance(told, str) else told, here, most=20)
    return Lifecycle(tuple(text_of(v, f"{here}[{i}]") for i, v in enumerate(found)))


def read_cluster(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("cluster", "in"), path)
    key = text_of(data["cluster"], join(path, "cluster"))
    told, here = data.get("in"), join(path, "in")
    found = list_of([told] if isinstance(told, int) else told, here, most=50)
    numbers = {whole(v, f"{here}[{i}]", 1, MAX_GROUP) for i, v in enumerate(found)}
    return Cluster(key, tuple(sorted(numbers)))


def read_bucket(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("bucket", "from", "to"), path)
    salt = text_of(data["bucket"], join(path, "bucket"))
    start = number_of(data.get("from", 0), join(path, "from"))
    end = number_of(data.get("to"), join(path, "to"))
    if not 0 <= start < end <= 100:
        raise RuleFault(
            join(path, "to"), gettext_noop("This needs percentages from 0 to 100, lower one first.")
        )
    return Bucket(salt, start, end)


def read_in_list(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("in_list",), path)
    return InList(whole(data["in_list"], join(path, "in_list"), 1, MAX_ID))


def read_in_segment(data: Data, path: str, kinds: Mapping[str, str]) -> Leaf:
    allow(data, ("in_segment",), path)
    return InSegment(whole(data["in_segment"], join(path, "in_segment"), 1, MAX_ID))


READERS: dict[str, Callable[[Data, str, Mapping[str, str]], Leaf]] = {
    "field": read_field,
    "attribute": read_attribute,
    "did": read_did,
    "sequence": read_sequence,
    "bought": read_bought,
    "ordered": read_ordered,
    "message": read_message,
    "reach": read_reach,
    "consent": read_consent,
    "score": read_score,
    "rfm": read_rfm,
    "lifecycle": read_lifecycle,
    "cluster": read_cluster,
    "bucket": read_bucket,
    "in_list": read_in_list,
    "in_segment": read_in_segment,
}
