"""How likely a person was behind an opening or a click, and not a gateway that checks mail.

A prior is multiplied by one likelihood ratio per sign, as a naive Bayes classifier does. The ratios
are set by hand and err towards machines where a sign is strong: there is no labelled data, and a
made-up click misleads more than a missed one. Raw counts are always kept beside the cleaned ones.
"""

import math
import re
from typing import NamedTuple

# From here on an opening or click is counted as a person's.
LIKELY = 0.5
# Before anything is known: most clicks are people's; of openings about half are, since several
# large mailboxes fetch every picture when a mail arrives.
PRIOR = {"click": 0.85, "open": 0.6}
BURST_SECONDS = 5.0
BURST_LINKS = 3

_SCANNERS = re.compile(
    r"bot\b|crawl|spider|scan|proofpoint|mimecast|barracuda|symantec|trend ?micro|sophos|fortinet"
    r"|forcepoint|ironport|cloudmark|safelinks|urldefense|preview|prefetch|headless|phantom"
    r"|python|curl|wget|go-http|java/|okhttp|libwww|httpclient|axios|node-fetch|ruby|perl",
    re.IGNORECASE,
)
# Pictures through these are fetched when somebody looks, and the reader's own agent is hidden.
_ON_VIEW = re.compile(r"GoogleImageProxy|YahooMailProxy|ggpht", re.IGNORECASE)
# One mail program fetches all pictures beforehand and says no more about itself than this.
_BARE = frozenset({"", "Mozilla/5.0", "Mozilla/4.0"})


class Signs(NamedTuple):
    """What is known of one opening or click.

    `seconds` since the mail was handed over (None when that is not known yet), `links` is how many
    different links of the same mail were followed within BURST_SECONDS of this one.
    """

    kind: str
    seconds: float | None
    agent: str
    links: int = 1


def _haste(seconds: float | None) -> float:
    """People do not read within moments of delivery; gateways do."""
    if seconds is None:
        return 0.2
    if seconds < 2:
        return 0.01
    if seconds < 10:
        return 0.15
    if seconds < 60:
        return 0.6
    return 1.5


def _voice(kind: str, agent: str) -> float:
    if _SCANNERS.search(agent):
        return 0.02
    if kind == "open" and _ON_VIEW.search(agent):
        return 4.0
    if agent.strip() in _BARE:
        return 0.1
    return 2.0


def probability(signs: Signs) -> float:
    """Between 0 and 1, to three digits."""
    prior = PRIOR[signs.kind]
    odds = prior / (1 - prior)
    odds *= _haste(signs.seconds) * _voice(signs.kind, signs.agent)
    if signs.kind == "click" and signs.links >= BURST_LINKS:
        odds *= 0.03
    return round(odds / (1 + odds), 3) if math.isfinite(odds) else 1.0
