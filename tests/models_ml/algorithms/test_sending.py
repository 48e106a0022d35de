"""Best hours: planted ones are found round the clock, and none claimed where there are none."""

import numpy as np
import pytest

from models_ml.algorithms import sending
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.sending import Answered, Hours

START = 1_700_000_000


def people(
    own: bool, *, count: int = 120, answers: int = 14, seed: int = 1
) -> tuple[Answered, np.ndarray]:
    """Everybody mostly at nine or eight in the evening; with `own`, each near an hour of theirs."""
    rng = np.random.default_rng(seed)
    favourite = rng.integers(0, 24, count)
    rows = []
    for person in range(count):
        centre = np.full(answers, favourite[person]) if own else rng.choice([9, 20], answers)
        hour = (centre + rng.integers(-1, 2, answers)) % 24
        weekday = rng.integers(1, 8, answers)
        at = START + np.sort(rng.integers(0, 200 * 86_400, answers))
        rows.append(np.stack([np.full(answers, person), sending.bin_of(hour, weekday), at]))
    found = np.concatenate(rows, axis=1)
    return Answered(found[0], found[1], found[2]), favourite


def test_hours_of_ones_own_are_found_and_beat_everybodys() -> None:
    answered, favourite = people(own=True)
    outcome = sending.run(answered, seed=3)
    assert outcome.ok
    assert outcome.gain.low > 0.3
    assert outcome.figures["hits_top_3"] > 2 * outcome.baseline["hits_top_3"]
    known = np.arange(120)
    curves = outcome.hours.curves(sending.counted(answered, known))
    np.testing.assert_allclose(curves.sum(axis=1), 1.0)
    best, first, until = sending.best(curves)
    off = np.minimum((best - favourite) % 24, (favourite - best) % 24)
    assert (off <= 1).mean() > 0.95
    # The told stretch lies around the hour, also where it goes past midnight.
    assert (((best - first) % 24) <= ((until - first) % 24)).all()


def test_where_everybody_has_the_same_hours_none_are_ones_own() -> None:
    outcome = sending.run(people(own=False)[0], seed=3)
    assert not outcome.ok
    best, first, until = sending.best(outcome.hours.everyone[None, :])
    assert best[0] in (8, 9, 10, 19, 20, 21)
    assert 0 < (until[0] - first[0]) % 24 <= 14


def test_few_answers_are_drawn_to_everybodys_hour() -> None:
    curve = np.full(48, 1.0)
    curve[9] = curve[33] = 30.0
    hours = Hours(curve / curve.sum(), width=0.6, weight=10.0)
    counts = np.zeros((2, 48))
    counts[0, 22], counts[1, 22] = 1, 40
    assert sending.best(hours.curves(counts))[0].tolist() == [9, 22]


def test_counts_are_shared_round_the_clock_and_within_their_part_of_the_week() -> None:
    counts = np.zeros(48)
    counts[23] = 1.0
    found = sending.shared(counts, 1.2)
    assert found.sum() == pytest.approx(1.0)
    assert found[0] == pytest.approx(found[22])
    assert found[24:].sum() == 0


def test_too_few_people_are_refused_with_how_many_there_are() -> None:
    with pytest.raises(Unfit) as few:
        sending.run(people(own=True, count=20)[0], seed=1)
    assert few.value.facts == {"people": 20, "needed": 50}
    nobody = np.empty(0, dtype=np.int64)
    with pytest.raises(Unfit):
        sending.run(Answered(nobody, nobody, nobody), seed=1)
