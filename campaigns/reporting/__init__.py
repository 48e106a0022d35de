"""What became of a campaign.

`figures` counts of messages · `tallies` sums per side, in one statement · `readings` the same kept
day by day · `effects` what the mail caused, with intervals · `costs` what it cost and returned ·
`behind` the messages that a number counts ·
`variants` mails beside each other · `visits` who came to the shop with its words ·
`overview` all campaigns that can answer, judged together · `everybody` the global hold-out ·
`credit` rules of who was there ·
`wording` all of it in words.
"""

from campaigns.reporting.effects import Effect, effect
from campaigns.reporting.figures import Figures, figures
from campaigns.reporting.tallies import WINDOW

__all__ = ["WINDOW", "Effect", "Figures", "effect", "figures"]
