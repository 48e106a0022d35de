"""Pages of models.

listing     every model, the questions asked for, and those ready to be asked
question    one prediction: how good, what drives it, whom to reach, how it holds up, its versions
acting      what is done there: train, publish, roll back, shadow, archive
person      why somebody has a score, for the page of that person
wizard      a new prediction in three choices, with a look at the data before it starts
versions    one version of the other models: the tree and the recommenders
rfm         the grid of recency, frequency and money; `bands` its bands, `scores` how they are said
stages      the lifecycle: stages, who moved between two moments (drawn by `flows`), their bounds
demand      what will be sold: every product, and one closely

names, figures and plots word and measure what those show.
"""

from models_ml.views.names import title, titles

__all__ = ["title", "titles"]
