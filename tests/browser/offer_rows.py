"""A plan of offers with people who fit, who do not, and of whom it is not known."""

from recommendations.offers import planning
from tests import factories
from tests.recommendations.offers.test_planning import fund, make, predict


def fill(people: factories.Cast) -> str:
    """A planned plan; its key."""
    people.ada.attributes |= {"risk_class": 4, "age": 44}
    people.ben.attributes |= {"risk_class": 2, "age": 33}
    for one in people:
        one.save(update_fields=["attributes"])
    chances = {people.ada: 0.2, people.ben: 0.3, people.cleo: 0.1}
    predict("fund", "chance", chances, seen=0.2, said=0.2)
    row = make(offers=[fund(), fund(name="Fund with a gift", discount=5)])
    planning.plan(row=row, now=factories.NOW)
    return row.slug
