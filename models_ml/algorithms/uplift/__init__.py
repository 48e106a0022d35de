"""Whom a message moves: the difference it makes for each person, learned from a held-out group.

`learners.py` holds the T-, X- and transformed-outcome learners, `curves.py` the Qini curve and its
area with an interval, and the verdict "no effect found" where that covers zero.
"""
