"""One object or many: reading a body item by item, and answering the same way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from rest_framework.response import Response

from marketing.core.errors import Conflict, Invalid, TooLarge

LIMIT = 1_000
SOURCE = "API"
T = TypeVar("T")


def items_of(body: Any) -> tuple[list[Any], bool]:
    """The items of a body, and whether it was a list. Refused when it is too long or neither."""
    if isinstance(body, dict) and set(body) == {"items"}:
        body = body["items"]
    if isinstance(body, dict):
        return [body], False
    if not isinstance(body, list):
        raise Invalid(_("Send one JSON object or a list of them."), code="not_an_object")
    if not body:
        raise Invalid(_("The list is empty."), code="empty_list")
    if len(body) > LIMIT:
        raise TooLarge(
            _("%(n)d items came; one request takes at most %(max)d. Nothing was stored.")
            % {"n": len(body), "max": LIMIT},
            code="too_many_items",
            remedy=_("Send them in several requests."),
        )
    return body, True


def read_all(
    items: list[Any], read: Callable[[Any], T]
) -> tuple[dict[int, T], list[dict[str, Any]]]:
    """(position → item) of those that can be read, and a result for each of all."""
    good: dict[int, T] = {}
    results: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        result: dict[str, Any] = {"index": index, "status": ""}
        try:
            good[index] = read(item)
        except Invalid as fault:
            result |= {"status": "invalid", "error": error_of(fault)}
        results.append(result)
    return good, results


def error_of(fault: Invalid) -> dict[str, Any]:
    """A fault of one item, in the shape of every refusal."""
    return {
        "code": fault.code,
        "message": fault.message,
        "field": fault.field or None,
        "remedy": fault.remedy,
    }


def refuse_single(result: Mapping[str, Any]) -> None:
    """Turn the result of a lone object into a refusal, if it is one."""
    error = result.get("error")
    if not error:
        return
    kind = Conflict if result["status"] == "conflict" else Invalid
    raise kind(error["message"], code=error["code"], field=error["field"], remedy=error["remedy"])


def answer(results: Sequence[Mapping[str, Any]]) -> Response:
    """Results item by item, with counts by status."""
    return Response(counted(results))


def counted(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The body of such an answer."""
    counts: dict[str, int] = {}
    for result in results:
        counts[result["status"]] = counts.get(result["status"], 0) + 1
    return {"received": len(results), "counts": counts, "results": results}
