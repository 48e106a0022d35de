"""The algorithms: arrays and frames in, arrays out; no database, no web, no clock.

Read `base.py` (the verbs), `data.py` (what recommenders learn from) and `artifacts.py` (how a model
is kept) first. One file is one method. An algorithm must not know a table, a request or the time of
day: moments and seeds come in as arguments.
"""

import os

# Threads that wait for each other must sleep, not spin: on a machine whose cores are shared with
# other work spinning made the same training five to ten times slower. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
