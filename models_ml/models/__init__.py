"""Tables of numbers, a file a subject: versions of models, traits, and what is predicted.

`versions` what was trained, `traits` the numbers of each person in columns (rules and the tree read
them), `predictions` the models somebody asked for with everybody's scores and how they are watched,
`explorations` the questions trees find groups for, `insights` how people are measured and the stage
each was in over time, `fairness` the attributes by which groups of people are watched,
`clusters` groups of people who are alike and who is in which, `demand` what is
expected to be sold of each product.
"""

from models_ml.models.clusters import Clustering, ClusterMember
from models_ml.models.demand import ProductDemand
from models_ml.models.explorations import Exploration
from models_ml.models.fairness import WatchedAttribute
from models_ml.models.insights import StageFlow, StagePath, Yardstick
from models_ml.models.predictions import Prediction, Score, Watch
from models_ml.models.traits import Traits
from models_ml.models.versions import ModelVersion

__all__ = [
    "ClusterMember",
    "Clustering",
    "Exploration",
    "ModelVersion",
    "Prediction",
    "ProductDemand",
    "Score",
    "StageFlow",
    "StagePath",
    "Traits",
    "Watch",
    "WatchedAttribute",
    "Yardstick",
]
