"""How long customers stay, how often they buy and what they spend, from nothing but their orders.

`summary.py` turns orders into three numbers a person; `bgnbd.py` and `pareto.py` are the models of
buying, `spend.py` the model of what an order is worth, `value.py` the discounted sum of both.
All are fitted by maximum likelihood (`likelihood.py`), computed in logarithms throughout.
"""
