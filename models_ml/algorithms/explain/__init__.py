"""Why a model says what it says: associations in the data, never causes.

`trees.py` shares an answer out exactly (linear models need no help; networks are sampled, see
`tabular/shapley.py`); `dependence.py` shows how the answer moves with one column,
`counterfactual.py` the smallest reachable change that would move it enough, and `peers.py` who is
most alike.
"""
