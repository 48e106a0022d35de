"""A problem in words: what is wrong, what it means, and what to do."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ingestion.models import Problem
from ingestion.quality import fields
from marketing.core import wording


@dataclass(frozen=True)
class Words:
    """The three things to say of a problem."""

    title: str
    means: str
    remedy: str


def describe(problem: Problem) -> Words:
    """A problem as a marketer reads it."""
    detail = problem.detail
    values: dict[str, Any] = {
        "what": fields.subject_label(problem.subject),
        "field": fields.field_label(problem.subject, problem.field),
        "source": problem.source or _("all sources"),
        "rows": wording.comma(problem.rows),
        "total": wording.comma(problem.total),
        "was": wording.pct(detail.get("was", 0), 0),
        "now": wording.pct(detail.get("now", 0), 1),
        "hours": wording.comma(round(detail.get("hours") or 0)),
        "count": wording.comma(detail.get("rows", 0)),
        "expected": wording.comma(round(detail.get("expected", 0))),
        "name": detail.get("name", ""),
    }
    title, means, remedy = _parts(problem, detail)
    return Words(title % values, means % values, remedy % values)


def _parts(problem: Problem, detail: dict[str, Any]) -> tuple[str, str, str]:
    if problem.code == "expectation":
        return _expectation(detail)
    if problem.code == "went_empty":
        return (
            _("%(what)s: %(field)s is often empty now"),
            _("It was filled in %(was)s of rows and is in %(now)s."),
            _("Look at what the source sends since then; a renamed column is the usual reason."),
        )
    if problem.code == "not_valid" and problem.subject == fields.IMPORTS:
        return (
            _("Many lines of %(source)s were set aside"),
            _("%(rows)s of %(total)s lines of the last 30 days could not be read."),
            _("Open the imports, download the lines set aside, mend them and send them again."),
        )
    if problem.code == "not_valid" and problem.subject.startswith(fields.EVENTS):
        return (
            _("%(what)s: %(field)s comes in several kinds"),
            _("%(rows)s of %(total)s values are of another kind than most."),
            _("Agree on one kind in the tracking plan and correct the sender."),
        )
    if problem.code == "not_valid":
        return (
            _("%(what)s: %(field)s has values that cannot be right"),
            _("%(rows)s of %(total)s values do not have the form they should have."),
            _("Add a rule to the source's recipe that mends them, and run the import again."),
        )
    if problem.code == "not_unique":
        return (
            _("%(what)s: %(field)s is shared"),
            _("%(rows)s of %(total)s rows share it with another row."),
            _("Look through the suggested duplicates and merge those that are the same."),
        )
    if problem.code == "not_consistent":
        return (
            _("%(what)s: %(field)s does not fit"),
            _("For %(rows)s of %(total)s rows the other side is missing or says otherwise."),
            _("Import what is missing; rows that find their other side are joined by themselves."),
        )
    if problem.code == "late":
        return (
            _("%(source)s has gone quiet (%(what)s)"),
            _("Nothing has come for %(hours)s hours; it usually sends more often."),
            _("See whether its last run failed, and whether its key or address still works."),
        )
    if detail.get("way") == "none":
        return (
            _("%(what)s of %(source)s: nothing came yesterday"),
            _("On this weekday about %(expected)s are usual. A holiday may be the reason."),
            _("If it was no holiday, look at the source; if it was one, mute this."),
        )
    return (
        _("%(what)s of %(source)s: unusually few yesterday")
        if detail.get("way") == "low"
        else _("%(what)s of %(source)s: unusually many yesterday"),
        _("%(count)s came; on this weekday about %(expected)s are usual."),
        _("Look at the source: a part may be missing, sent twice, or a campaign may have worked."),
    )


def _expectation(detail: dict[str, Any]) -> tuple[str, str, str]:
    title = _("Not as expected: %(name)s")
    kind = detail.get("kind")
    if kind == "fresh":
        return (
            title,
            _("The newest row is %(age)s old.") % {"age": _age(detail)},
            _("See whether the source still sends, or allow more hours."),
        )
    if kind == "rows":
        return (
            title,
            _("%(total)s rows came yesterday."),
            _("Look at the source, or widen the range."),
        )
    means = ngettext(
        "%(rows)s row of %(total)s does not meet it.",
        "%(rows)s rows of %(total)s do not meet it.",
        2,
    )
    return title, means, _("Mend the rows at their source, or change the expectation.")


def _age(detail: dict[str, Any]) -> str:
    hours = detail.get("value")
    if hours is None:
        return _("unknown, as there is none, and so too")
    return wording.duration(hours * 3600)


def share(problem: Problem) -> float:
    """The share of rows that are wrong."""
    return problem.rows / problem.total if problem.total else 0.0
