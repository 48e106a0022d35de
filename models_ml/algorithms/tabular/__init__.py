"""Columns in, chances or amounts out: every estimator on equal splits, and the best one kept.

`contest.run` is the door. `frame` says what goes in and refuses by name what nothing can be learned
from; `encoding` turns columns into numbers; one file is one kind of candidate; `calibration` makes
a chance mean what it says; `judging` measures; `fitted` is what is kept, stored and asked.
"""
