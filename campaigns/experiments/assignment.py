"""Who is on which side: the hash that placements of recommendations use, too."""

from marketing.core.assignment import bucket, edges, held_out, holdout_ceiling, side

__all__ = ["bucket", "edges", "held_out", "holdout_ceiling", "side"]
