"""Whom a message moves: the difference it makes for each person, learned from a held-out group.

learners  the T-, X- and transformed-outcome learners
curves    the Qini curve and its area with an interval; "no effect" where that covers zero
trial     learners chosen inside the training data and judged beside the dull rule
power     how many people would have to be held out to be sure
"""
