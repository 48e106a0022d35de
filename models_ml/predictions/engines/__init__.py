"""Who answers a prediction: modules named by path, so that reading this loads no model library.

An engine module has two functions.

    learn(*, prediction, as_of, now, job_id=None, report=...) -> ModelVersion
        Learn from what happened before `as_of`, judge on what was kept back, store a candidate by
        `registry.save` and let `gate.decide` publish or refuse it. Refused children say why nothing
        could be learned.
    answer(*, prediction, version, as_of, only=None) -> Answers
        What the version says of everyone in the population (or of `only` some) at `as_of`.

It may have three more, and does without what they serve where it has them not.

    told(*, prediction, version, asked) -> (n,)
        What the version says of people at moments in the past, in the terms it is judged in, read
        by its own columns and categories; nan for whom it says nothing. For the duel with a newer
        version (see `duels`).
    glance(*, prediction, version, as_of, share) -> Glance
        A part of the people as they are at a moment, for drift.
    matured(*, prediction, version, moment, share) -> Matured or None
        What it would have said one horizon ago, and what came, for calibration.

A version whose engine has no `glance` is not watched: `UNWATCHED` says why, for its page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from marketing.core.wording import Words
from models_ml.models import ModelVersion, Prediction

Report = Callable[[int, Words], None]


@dataclass(frozen=True)
class Answers:
    """A value for each person (n,), finite: a chance, money, days since 1970-01-01, an effect,
    an hour of their own clock (0 to 23), or a degree in [0, 1].

    `low` and `high` bound them for everyone or are both None.
    """

    person: NDArray[np.int64]
    value: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Glance:
    """People as drift sees them: the columns of the version's profile, and what is said (n,)."""

    x: Any
    said: NDArray[np.float64]


@dataclass(frozen=True)
class Matured:
    """What was said and what came, of those of whom both are known; `chance` where it is a yes.

    `more` are further readings of the same people.
    """

    said: NDArray[np.float64]
    came: NDArray[np.float64]
    chance: bool
    more: dict[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """What an engine module offers."""

    def learn(
        self,
        *,
        prediction: Prediction,
        as_of: datetime,
        now: datetime,
        job_id: int | None = None,
        report: Report = ...,
    ) -> ModelVersion: ...

    def answer(
        self,
        *,
        prediction: Prediction,
        version: ModelVersion,
        as_of: datetime,
        only: Sequence[int] | None = None,
    ) -> Answers: ...


class Watched(Protocol):
    """What an engine offers whose versions are looked after."""

    def glance(
        self, *, prediction: Prediction, version: ModelVersion, as_of: datetime, share: float = ...
    ) -> Glance: ...

    def matured(
        self, *, prediction: Prediction, version: ModelVersion, moment: datetime, share: float = ...
    ) -> Matured | None: ...


ENGINES: dict[str, str] = {
    "contest": "models_ml.predictions.engines.contests",
    "lifetime": "models_ml.predictions.engines.lifetimes",
    "uplift": "models_ml.predictions.engines.effects",
    "hours": "models_ml.predictions.engines.sendtimes",
    "oddness": "models_ml.predictions.engines.oddness",
}
# Engines without a `glance`, and why nobody looks after what they say.
UNWATCHED: dict[str, Promise] = {
    "uplift": gettext_lazy(
        "Nobody is seen both with and without a mail, so what is said of one person never comes"
        " true or false. The next sending that holds people out judges it again."
    ),
    "hours": gettext_lazy(
        "Hours are learned again from newer answers, and each training is judged on the latest."
    ),
    "oddness": gettext_lazy(
        "Being unlike the rest never comes true or false. Each training judges it again by halves"
        " of the people and by planted ones."
    ),
}


def of(name: str) -> Engine:
    """The engine of this name; KeyError for none."""
    return cast(Engine, import_module(ENGINES[name]))


def watched(name: str) -> Watched:
    """The same for what looks after it; only where `why_unwatched` is empty."""
    return cast(Watched, import_module(ENGINES[name]))


def why_unwatched(name: str) -> str:
    """Why versions of this engine are not looked after; empty when they are."""
    if name in UNWATCHED:
        return str(UNWATCHED[name])
    if name not in ENGINES:
        return _("This kind of model is not looked after.")
    return ""
