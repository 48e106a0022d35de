"""Dependence, one reachable change, and peers, on answers whose formula is known."""

import numpy as np
import pandas as pd
import pytest

from models_ml.algorithms.explain.counterfactual import Lever, smallest
from models_ml.algorithms.explain.dependence import partial
from models_ml.algorithms.explain.peers import compare, nearest


def shop(rows: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "orders": rng.poisson(3, rows).astype(float),
            "days": rng.integers(0, 200, rows).astype(float),
            "age": rng.integers(18, 80, rows).astype(float),
            "country": pd.Categorical(rng.choice(["DE", "FR", "XX"], rows, p=[0.6, 0.395, 0.005])),
        }
    )


PEOPLE = shop()


def chance(x: pd.DataFrame) -> np.ndarray:
    z = 0.5 * x["orders"] - 0.03 * x["days"] + (x["country"].astype("object") == "FR")
    return (1 / (1 + np.exp(-z.fillna(0)))).to_numpy(dtype=float)


def person(**values: object) -> pd.DataFrame:
    row = PEOPLE.iloc[[0]].reset_index(drop=True)
    for name, value in values.items():
        row[name] = (
            pd.Categorical([value], categories=PEOPLE["country"].cat.categories)
            if name == "country"
            else [value]
        )
    return row


def asked(x: pd.DataFrame, _events: object) -> np.ndarray:
    return chance(x)


def test_dependence_follows_the_formula() -> None:
    found = partial(predict=asked, x=PEOPLE, column="days")
    assert (np.diff(found.mean) < 0).all()
    assert found.share.sum() == pytest.approx(1)
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    flat = partial(predict=asked, x=PEOPLE, column="age")
    assert np.ptp(flat.mean) < 1e-12


def test_dependence_of_a_category_goes_through_its_levels_by_size() -> None:
    found = partial(predict=asked, x=PEOPLE, column="country")
    assert found.values == ("DE", "FR", "XX")
    assert found.mean[1] > found.mean[0] == pytest.approx(found.mean[2])


def test_dependence_of_a_column_nobody_has_is_empty() -> None:
    assert partial(predict=asked, x=PEOPLE.assign(gap=np.nan), column="gap").values == ()


def test_the_change_of_least_effort_is_found_and_does_what_it_says() -> None:
    row = person(orders=2.0, days=60.0, country="DE")
    levers = [Lever("orders", "up", whole=True), Lever("days", "down")]
    found = smallest(predict=chance, row=row, people=PEOPLE, levers=levers, wanted=0.4)
    assert found is not None
    assert found.said < 0.4 <= found.would
    moved = row.assign(**{found.column: found.after})
    assert chance(moved)[0] == pytest.approx(found.would)
    assert found.effort <= 0.2
    assert found.there >= 0.02


def test_nothing_is_moved_where_it_cannot_go() -> None:
    row = person(orders=2.0, days=60.0, country="DE")
    later = [Lever("days", "up")]
    assert smallest(predict=chance, row=row, people=PEOPLE, levers=later, wanted=0.9) is None
    no_levers = smallest(predict=chance, row=row, people=PEOPLE, levers=[], wanted=0.9)
    assert no_levers is None


def test_a_fall_can_be_asked_for_and_rare_categories_are_no_example() -> None:
    row = person(orders=2.0, days=10.0, country="FR")
    found = smallest(
        predict=chance,
        row=row,
        people=PEOPLE,
        levers=[Lever("country")],
        wanted=chance(row)[0] - 0.1,
    )
    assert found is not None
    assert (found.before, found.after) == ("FR", "DE")
    assert found.would < found.said


def test_peers_are_alike_in_what_matters() -> None:
    row = person(orders=5.0, days=20.0, country="FR")
    weights = {"orders": 1.0, "days": 1.0, "country": 0.5}
    found = PEOPLE.iloc[nearest(row=row, people=PEOPLE, weights=weights, most=30)]
    assert len(found) == 30
    assert (found["country"] == "FR").all()
    assert found["orders"].between(3, 9).all()
    assert found["days"].between(0, 70).all()


def test_a_person_is_compared_with_the_middle_of_the_peers() -> None:
    peers = pd.DataFrame({"orders": [1.0, 2.0, 9.0, np.nan], "country": ["DE", "DE", "FR", None]})
    row = pd.DataFrame({"orders": [3.0], "country": ["FR"]})
    orders, country = compare(row=row, peers=peers, columns=["orders", "country"])
    assert (orders.mine, orders.theirs) == (3.0, 2.0)
    assert orders.below == pytest.approx(2 / 3)
    assert (country.mine, country.theirs, country.below) == ("FR", "DE", None)


def test_unknown_values_are_alike_to_unknown_values() -> None:
    people = PEOPLE.assign(gap=np.where(np.arange(len(PEOPLE)) % 10, 1.0, np.nan))
    row = person(gap=np.nan)
    found = nearest(row=row, people=people, weights={"gap": 1.0}, most=50)
    assert people["gap"].iloc[found].isna().all()
    assert nearest(row=row, people=people.iloc[:0], weights={"gap": 1.0}).tolist() == []
