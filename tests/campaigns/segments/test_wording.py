"""A rule said as a sentence."""

from typing import Any

import pytest

from campaigns.segments import rules, wording
from tests.campaigns.segments.test_rules import QUESTIONS

KINDS = {"orders": "number", "gap": "number", "country": "choice", "mail": "flag", "seen": "date"}
WORDS = wording.Words(
    gettext=lambda text: text,
    ngettext=lambda one, many, n: one if n == 1 else many,
    label=lambda name: {"mail": "can get mail"}.get(name, name),
    segment=lambda number: f"Group {number}",
    number=str,
    named=lambda kind, key: f"{kind} {key}",
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
                "all": [
                    {"field": "orders", "op": "between", "value": [1, 2]},
                    {
                        "any": [
                            {
                                "all": [
                                    {"field": "gap", "op": ">", "value": 20},
                                    {"field": "gap", "op": "<=", "value": 80},
                                ]
                            },
                            {"field": "gap", "op": "unknown"},
                        ]
                    },
                    {
                        "any": [
                            {"attribute": "score", "as": "number", "op": ">", "value": 70},
                            {"attribute": "score", "as": "number", "op": "unknown"},
                        ]
                    },
                ]
            },
            "People where orders is from 1 to 2 and gap is over 20 and gap is at most 80 and"
            " “score” is over 70 (gap and “score” may also be unknown).",
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
            {
                "sequence": [
                    {"did": "cart", "where": [{"property": "n", "op": ">", "value": 2}]},
                    {"did": "checkout", "within": {"hours": 1}},
                    {"did_not": "purchase", "within": {"days": 3}},
                ],
                "when": {"calendar": "last_week"},
            },
            "People where they did “cart” with n > 2 last week and then “checkout” within 1 hour"
            " and then not “purchase” within 3 days.",
        ),
        (
            {
                "ordered": "money",
                "op": ">=",
                "value": 200,
                "days": 90,
                "where": [{"property": "category", "op": "in", "value": ["mugs", "cups"]}],
            },
            "People where the money they spent with category one of “mugs”, “cups” in the last"
            " 90 days is at least 200.",
        ),
        (
            {"message": "opened", "campaign": 4, "channel": "email", "at_most": 1, "days": 7},
            "People where they opened a message of “campaign 4” by channel email at most once in"
            " the last 7 days.",
        ),
        (
            {
                "any": [
                    {"score": "churn", "op": "top", "value": 10},
                    {"rfm": {"r": [4, 5], "m": [1]}},
                ]
            },
            "People where they are in the highest 10 per cent of “prediction churn” or their scores"
            " are recency 4 or 5, money 1.",
        ),
        (
            {
                "all": [
                    {"reach": "sms", "purpose": "news"},
                    {"lifecycle": ["new", "loyal"]},
                    {"bucket": "test", "from": 0, "to": 12.5},
                    {"not": {"in_list": 3}},
                ]
            },
            "People where they can be reached by channel sms for “purpose news” and their stage is"
            " stage new or stage loyal and they are in the part from 0 to 12.5 per cent drawn by"
            " “test”, except where they are on the list “list 3”.",
        ),
        (
            {"attribute": "born", "as": "date", "op": "anniversary_within", "value": 7},
            "People where the day of “born” comes round within 7 days.",
        ),
        (
            {"cluster": "kinds", "in": [1, 3]},
            "People where they are in the group “group kinds/1” or “group kinds/3” of"
            " “clustering kinds”.",
        ),
        (
            {"consent": "email", "purpose": "profiling", "answer": "no"},
            "People where they said no to “purpose profiling” by channel email.",
        ),
        (
            {"bought": {"sku": "A"}, "at_least": 2, "at_most": 3, "when": {"days_ago": [60, 30]}},
            "People where they ordered product “A” 2 to 3 times from 60 to 30 days ago.",
        ),
        (
            {"field": "seen", "op": "within_days", "value": 7},
            "People where seen is in the last 7 days.",
        ),
    ],
)
def test_a_rule_is_said_in_plain_words(rule: Any, sentence: str) -> None:
    assert wording.sentence(rules.parse(rule, KINDS), WORDS) == sentence


@pytest.mark.parametrize("head", rules.HEADS[3:])
def test_every_question_has_words(head: str) -> None:
    asked = {next(iter(rule)): rule for rule in QUESTIONS}
    said = asked.get(head)
    if said is None:
        said = {"field": {"field": "d", "op": "known"}, "in_segment": {"in_segment": 3}}[head]
    text = wording.sentence(rules.parse(said, {"d": "date"}), WORDS)
    assert text.startswith("People where ")
    assert text.endswith(".")
