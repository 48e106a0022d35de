"""Predictions: models that marketers ask for, from the question to everybody's score.

`ready` the questions that can be asked without a thought; `definitions` makes, changes and archives
what was asked; `training` learns and judges; `gate` publishes or refuses and says why; `scoring`
writes everybody's score at once; `watching` sees when people or hits moved and what to do then.
"""
