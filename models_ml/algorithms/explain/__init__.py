"""Why a model says what it says: associations in the data, never causes.

`trees.py` and `linear.py` share an answer out exactly, `sampling.py` does it for any function with
a stated error; `dependence.py` shows how the answer moves with one column, `counterfactual.py` the
smallest reachable change that would move it enough, and `peers.py` who is most alike.
"""
