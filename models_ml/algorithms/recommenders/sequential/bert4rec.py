"""BERT4Rec: a transformer that reads both ways and fills in what was hidden.

Sun et al., "BERT4Rec: Sequential recommendation with bidirectional encoder representations from
transformer" (CIKM 2019). A mask at the end of a history asks what comes next; some rows are
learned from in just that way.
"""

from __future__ import annotations

from typing import ClassVar

from models_ml.algorithms.recommenders.sequential import baskets, batches
from models_ml.algorithms.recommenders.sequential.engine import Engine
from models_ml.algorithms.recommenders.sequential.params import Params

__all__ = ["BERT4Rec", "Params"]


class BERT4Rec(Engine):
    causal: ClassVar[bool] = False
    make: ClassVar[batches.Maker] = staticmethod(baskets.masked)
