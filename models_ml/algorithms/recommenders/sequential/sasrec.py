"""SASRec: a transformer that reads from left to right and says at every place what comes next.

Kang and McAuley, "Self-attentive sequential recommendation" (ICDM 2018). Other than in the paper
every product competes in the loss, or a corrected sample of a large catalogue, which is what its
later and better results rest on (Klenitskiy and Vasilev, RecSys 2023).
"""

from __future__ import annotations

from typing import ClassVar

from models_ml.algorithms.recommenders.sequential import baskets, batches
from models_ml.algorithms.recommenders.sequential.engine import Engine
from models_ml.algorithms.recommenders.sequential.params import Params

__all__ = ["Params", "SASRec"]


class SASRec(Engine):
    causal: ClassVar[bool] = True
    make: ClassVar[batches.Maker] = staticmethod(baskets.forward)
