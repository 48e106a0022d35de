"""Many events held as columns, against the plan: each different text of details is read once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ingestion.models import Policy
from ingestion.registry import judging
from ingestion.registry.judging import Fault, Verdict


def judge(
    *,
    types: Sequence[str],
    type_codes: NDArray[np.int64],
    details: Sequence[str],
    detail_codes: NDArray[np.int64],
) -> dict[int, Verdict]:
    """What `judging.judge` says of the same events: verdicts by place, of those that break it.

    The i-th event has the type `types[type_codes[i]]`, and its properties are the JSON text
    `details[detail_codes[i]]`.
    """
    plan = judging.standing()
    if plan.silent:
        return {}
    out: dict[int, Verdict] = {}
    for code in np.unique(type_codes).tolist():
        name = types[code]
        agreed = plan.types.get(name)
        if (plan.unknown if agreed is None else agreed.policy) == Policy.ALLOW:
            continue
        places = np.flatnonzero(type_codes == code)
        if agreed is None:
            verdict = judging.verdict(plan.unknown, name, Fault("plan_unknown_type", "type"))
            out.update(dict.fromkeys(places.tolist(), verdict))
            continue
        used, back = np.unique(detail_codes[places], return_inverse=True)
        loads, fault = orjson.loads, agreed.fault
        faults = [fault(loads(details[place])) for place in used.tolist()]
        if any(faults):
            told = _worded(faults, agreed.policy, name)[back]
            broken = np.flatnonzero(told != None)  # noqa: E711  # an array is compared by element
            out.update(zip(places[broken].tolist(), told[broken].tolist(), strict=True))
    return out


def _worded(faults: Sequence[Fault | None], policy: str, name: str) -> Any:
    """The verdict of each, put into words once for all that are alike."""
    words = {fault: judging.verdict(policy, name, fault) for fault in set(faults) if fault}
    told = np.empty(len(faults), dtype=object)
    told[:] = [None if fault is None else words[fault] for fault in faults]
    return told
