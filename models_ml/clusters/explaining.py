"""Why there are so many groups, in words and as a table, and what moved since the last finding."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import wording as words
from models_ml.clusters import wording
from models_ml.models import Clustering, ModelVersion

# Above these a silhouette tells weak and strong groups (Kaufman and Rousseeuw 1990).
WEAK, STRONG = 0.25, 0.5
STABLE = 0.75
LEAST_SHARE = 0.02
AGAINST = {
    "unstable": gettext_lazy("other groups with other people"),
    "no_gap": gettext_lazy("no tighter than one group"),
    "too_small": gettext_lazy("a group is too small"),
    "one_is_better": gettext_lazy("one group explains people better"),
}


def why(version: ModelVersion) -> dict[str, Any]:
    """The rule, what it led to, how clear the groups are, and a row a number tried."""
    details = version.details
    count, mixture = details["count"], details["method"] == "mixture"
    standing = [one["count"] for one in details["tried"] if one["stands"]]
    taken = next((one for one in details["tried"] if one["count"] == count), None)
    return {
        "rule": _(
            "A number of groups stands if the groups come out again when people are drawn anew"
            " (agreement of at least %(stable)s), if they are tighter than one group of the same"
            " spread cut in pieces, and if each holds at least %(share)s of the people."
        )
        % {"stable": words.decimal(STABLE, 2), "share": words.pct(LEAST_SHARE, 0)},
        "said": _said(version, count, standing, taken, mixture),
        "clear": _clear(taken) if taken else "",
        "mixture": mixture,
        "rows": [
            {
                **one,
                "taken": one["count"] == count,
                "said": ", ".join(str(AGAINST[code]) for code in one["against"]),
                "gap_clear": one["gap"] - 2 * one["gap_error"],
            }
            for one in details["tried"]
        ],
        "sampled": details["sampled"],
    }


def _said(
    version: ModelVersion,
    count: int | None,
    standing: list[int],
    taken: dict[str, Any] | None,
    mixture: bool,
) -> str:
    if count is None or taken is None:
        return version.why
    if version.params.get("wanted"):
        return _("%(count)d groups were asked for, and they stand.") % {"count": count}
    values = {
        "count": count,
        "standing": ", ".join(str(n) for n in standing),
        "silhouette": words.decimal(taken["silhouette"], 2),
        "stability": words.decimal(taken["stability"], 2),
    }
    if len(standing) == 1:
        return _("Only %(count)d groups stand: drawn anew they agree to %(stability)s.") % values
    if mixture:
        return (
            _(
                "%(standing)s groups stand. Of these, %(count)d explain people best for their"
                " number (lowest BIC); drawn anew they agree to %(stability)s."
            )
            % values
        )
    return (
        _(
            "%(standing)s groups stand. Of these, with %(count)d people are nearest to their"
            " own group and furthest from the next (silhouette %(silhouette)s); drawn anew they"
            " agree to %(stability)s."
        )
        % values
    )


def _clear(taken: dict[str, Any]) -> str:
    if taken["silhouette"] >= STRONG:
        return _("The groups lie clearly apart.")
    if taken["silhouette"] >= WEAK:
        return _("The groups are there and touch: who stands at an edge is like the neighbours.")
    return _(
        "The groups hold, but they shade into each other: read them as regions of one crowd, not as"
        " separate kinds of people."
    )


def left_out(version: ModelVersion) -> list[str]:
    """Facts that were not used, with why, and those that are unknown of some."""
    said = []
    for one in version.details.get("left_out", []):
        values = {"fact": wording.fact(one["fact"]), "known": words.pct(one["known"], 0)}
        if one["why"] == "same":
            said.append(_("%(fact)s: left out, since it is the same of everyone.") % values)
        elif not one["known"]:
            said.append(_("%(fact)s: left out, since it is known of nobody.") % values)
        else:
            said.append(_("%(fact)s: left out, since it is known of only %(known)s.") % values)
    for name, known in version.details.get("known", {}).items():
        if name in version.details.get("facts", []) and known < 1:
            values = {"fact": wording.fact(name), "share": words.pct(1 - known, 0)}
            said.append(
                _("%(fact)s: unknown of %(share)s, who count as the middle there.") % values
            )
    return said


def moved(clustering: Clustering, version: ModelVersion) -> list[str]:
    """What became of the groups of the version before, a line a group."""
    told = version.details.get("moved")
    if not told:
        return []
    names = wording.names_of(clustering, version)

    def called(number: int) -> str:
        return names.get(number) or _("Group %(number)d") % {"number": number}

    share = told["stayed"] / told["people"] if told["people"] else 0
    lines = [
        _("%(share)s of the people who were in a group stayed in theirs.")
        % {"share": words.pct(share, 0)}
    ]
    lines += [_("“%(group)s” is new.") % {"group": called(n)} for n in told["came"]]
    lines += [
        _("“%(group)s” is no more: segments that name it are empty until they name another.")
        % {"group": called(n)}
        for n in told["gone"]
    ]
    flows = sorted((flow for flow in told["flows"] if flow[0] != flow[1]), key=lambda f: -f[2])
    lines += [
        _("%(people)s went from “%(from)s” to “%(to)s”.")
        % {"people": words.comma(count), "from": called(was), "to": called(now)}
        for was, now, count in flows[:5]
    ]
    return lines
