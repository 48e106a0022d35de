"""Every kind of candidate by its name, and every kind of stored model by its kind."""

from __future__ import annotations

from models_ml.algorithms.tabular.blend import BlendModel
from models_ml.algorithms.tabular.candidates import Candidate, Model
from models_ml.algorithms.tabular.linear import Linear, LinearModel
from models_ml.algorithms.tabular.network import Network, NetworkModel
from models_ml.algorithms.tabular.sequence import Sequence, SequenceModel
from models_ml.algorithms.tabular.trees import Boosting, Forest, Tree, TreeModel

CANDIDATES: dict[str, Candidate] = {
    kind.name: kind for kind in (Linear(), Tree(), Forest(), Boosting(), Network(), Sequence())
}
BLEND = "blend"
# Which two are blended when both took part.
BLENDED = ("linear", "boosting")
MODELS: dict[str, type[Model]] = {
    kind.kind: kind for kind in (LinearModel, TreeModel, NetworkModel, SequenceModel, BlendModel)
}
BlendModel.readers = MODELS
