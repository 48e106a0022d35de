"""A small decision tree that finds groups of people, judged on people and a time it never saw.

CART (Breiman, Friedman, Olshen & Stone 1984), made honest in three ways (after Athey & Imbens
2016, 'Recursive partitioning for heterogeneous causal effects'):

1. People are dealt into two halves by a hash of their id. One half chooses the questions, from
   earlier moments; the other half, at a later moment, gives every rate, interval and figure.
2. How far to prune (cost-complexity) is chosen inside the first half, by AUC over folds of people.
3. Thresholds are cut to the precision in which each feature is stored before anything is judged,
   so `apply` here and a WHERE clause there give the same people, row for row.

`shape` the tree as arrays, `growing` questions and pruning, `judging` halves, rates and verdict,
`moving` what became of the groups of an earlier tree. Arrays in, arrays out; a missing number is
nan, and each question says which way it goes.
"""

from models_ml.algorithms.tree.judging import Judgement, assess, fit, halves
from models_ml.algorithms.tree.shape import (
    CATEGORY,
    LEAF,
    NUMBER,
    Condition,
    Feature,
    Params,
    Sample,
    Tree,
)

__all__ = [
    "CATEGORY",
    "LEAF",
    "NUMBER",
    "Condition",
    "Feature",
    "Judgement",
    "Params",
    "Sample",
    "Tree",
    "assess",
    "fit",
    "halves",
]
