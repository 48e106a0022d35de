"""What became of a campaign.

`figures` counts of messages · `tallies` sums per side, in one statement · `readings` the same kept
day by day · `effects` what the mail caused, with intervals · `costs` what it cost and returned ·
`overview` all campaigns that can answer, judged together.
"""

from campaigns.reporting.effects import Effect, effect
from campaigns.reporting.figures import Figures, figures
from campaigns.reporting.tallies import WINDOW

__all__ = ["WINDOW", "Effect", "Figures", "effect", "figures"]
