"""The dull rule that every candidate must beat; apart from them, since it needs none of their
libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Baseline:
    """A rule anybody could apply, as a function of the columns: higher means likelier or more."""

    name: str
    score: Callable[[pd.DataFrame], NDArray[Any]]
