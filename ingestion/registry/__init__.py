"""Which events and properties arrive, what was agreed about them, and what has changed.

    shapes      the kind of a value, in words and from what was counted (pure)
    tally       what a batch of events looks like, added up in one pass (pure)
    discovery   observe: a row per batch; fold: those rows into the lists that pages show
    plans       the tracking plan: edit it, adopt what was seen
    judging     a batch against the plan
    columns     the same judgement for the events of a file (workers)
    drift       what is no longer sent
    listing     the lists and charts of the schema pages

Events are never changed and never lost by anything here. Names of events and of properties are
text that strangers chose: they are counted, cut to a length and shown, and nothing else.
"""

from ingestion.registry.discovery import observe
from ingestion.registry.judging import Verdict, judge

__all__ = ["Verdict", "judge", "observe"]
