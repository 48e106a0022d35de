"""Facts → numbers about people as of a moment: the only SQL that feeds training and serving.

`traits` the fixed columns that rules, lists and the tree read, written into Traits;
`registry` every feature a prediction may use, with its meaning, unit, window and owner;
`compiler` one statement from them, for one moment (serving) or many (training) in one pass;
`targets` what happened after a moment: labels and amounts.
Nothing here looks at or after the moment it is asked for, except `targets`.
"""

from models_ml.features.traits import (
    COLUMNS,
    RECENT,
    Column,
    Snapshot,
    build,
    measure,
    ordered_within,
    scored,
    snapshot,
    stored,
)

__all__ = [
    "COLUMNS",
    "RECENT",
    "Column",
    "Snapshot",
    "build",
    "measure",
    "ordered_within",
    "scored",
    "snapshot",
    "stored",
]
