"""A rule said as a sentence."""

from typing import Any

import pytest

from campaigns.segments import rules, wording

KINDS = {"orders": "number", "gap": "number", "country": "choice", "mail": "flag", "seen": "date"}
WORDS = wording.Words(
    gettext=lambda text: text,
    ngettext=lambda one, many, n: one if n == 1 else many,
    label=lambda name: {"mail": "can get mail"}.get(name, name),
    segment=lambda number: f"Group {number}",
    number=str,
)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"all": []}, "Everyone."),
        ({"any": []}, "Nobody: no rule has been added yet."),
        ({"field": "orders", "op": ">=", "value": 3}, "People where orders is at least 3."),
        (
            {"all": [{"field": "orders", "op": ">", "value": 3}, {"not": {"in_segment": 4}}]},
            "People where orders is over 3, except where they are in “Group 4”.",
        ),
        (
            {
                "any": [
                    {"field": "country", "op": "in", "value": ["GB", "FR"]},
                    {
                        "all": [
                            {"field": "mail", "op": "=", "value": True},
                            {"bought": {"any": True}, "at_least": 2, "days": 90},
                        ]
                    },
                ]
            },
            "People where country is one of “GB”, “FR” or"
            " (they can get mail and they ordered at least 2 times in the last 90 days).",
        ),
        (
            {
                "all": [
                    {"field": "orders", "op": "between", "value": [1, 2]},
                    {
                        "any": [
                            {"field": "gap", "op": ">", "value": 30.3},
                            {"field": "gap", "op": "unknown"},
                        ]
                    },
                ]
            },
            "People where orders is from 1 to 2 and (gap is over 30.3 or not known).",
        ),
        (
            {
                "did": "page_view",
                "days": 1,
                "where": [
                    {"property": "url", "op": "contains", "value": "sale"},
                    {"property": "n", "op": ">", "value": 2},
                ],
            },
            "People where they did “page_view” at least once with url containing “sale” with n > 2"
            " in the last day.",
        ),
        (
            {"not": {"bought": {"sku": "85123A"}, "at_least": 2}},
            "Everyone, except people where they bought product “85123A” in at least 2 orders.",
        ),
        (
            {"field": "seen", "op": "within_days", "value": 7},
            "People where seen is in the last 7 days.",
        ),
    ],
)
def test_a_rule_is_said_in_plain_words(rule: Any, sentence: str) -> None:
    assert wording.sentence(rules.parse(rule, KINDS), WORDS) == sentence
