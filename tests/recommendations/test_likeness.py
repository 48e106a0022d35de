import numpy as np

from recommendations import likeness

IDS = np.array([10, 11, 12])
TABLE = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])


def test_the_purchase_most_like_a_pick_is_its_reason():
    found = likeness.anchors(
        np.array([[11], [11], [11]]), (IDS, TABLE), np.array([0, 0, 2]), np.array([10, 12, 12])
    )
    assert found.tolist() == [[10], [-1], [12]]


def test_a_weak_likeness_is_no_reason():
    found = likeness.anchors(np.array([[10, -1]]), (IDS, TABLE), np.array([0]), np.array([12]))
    assert found.tolist() == [[-1, -1]]


def test_purchases_and_picks_the_model_does_not_know_are_passed_over():
    found = likeness.anchors(
        np.array([[99, 11]]), (IDS, TABLE), np.array([0, 0]), np.array([98, 10])
    )
    assert found.tolist() == [[-1, 10]]


def test_engines_without_likeness_give_no_anchor():
    assert likeness.anchors(np.array([[1]]), None, np.array([0]), np.array([1])).tolist() == [[-1]]


def test_many_people_are_worked_through_in_parts():
    people = likeness.PEOPLE * 2 + 3
    found = likeness.anchors(
        np.full((people, 1), 11), (IDS, TABLE), np.arange(people), np.full(people, 10)
    )
    assert found.tolist() == [[10]] * people
