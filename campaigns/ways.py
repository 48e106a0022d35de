"""The ways by which word reaches somebody: what tells one kind of channel from another.

Whoever must know of a kind whether it is clicked on or what it needs of a person asks here, so
that a new kind is said once. What it is written of stands in `messaging/parts`, what is done where
its sender died in `messaging/providers/base`, its name in `models/channels` and its picture in
`views/journeys_words`. Knows no framework.
"""

from dataclasses import dataclass

# What somebody must have said before word may go to them by a channel. AGREED: yes, to this very
# channel. UNOPPOSED: nothing, as they meet it in the shop's own app only; whoever wants nothing
# more at all is left in peace. UNASKED: nothing, as nothing goes to the person.
AGREED, UNOPPOSED, UNASKED = "agreed", "unopposed", "unasked"


@dataclass(frozen=True, slots=True)
class Way:
    """`needs`: the field of a person without which nothing arrives (empty: none of them).

    `medium`: what statistics of visits call it; empty where links are left as written. `clicked`:
    whether an answer to it can be seen. `wakes`: whether it may wake somebody at night.
    `in_journeys`: whether a journey sends it to the person by a step of its own. `asks`: which
    consent counts. A way that says nothing of it needs a yes to itself, which nobody can give
    before `consent` has words for it: so it writes to nobody.
    """

    key: str
    needs: str = ""
    medium: str = ""
    clicked: bool = False
    wakes: bool = True
    in_journeys: bool = True
    asks: str = AGREED


_ALL = (
    Way("email", needs="email", medium="email", clicked=True),
    # Every character of an SMS costs, so its links grow by nothing.
    Way("sms", needs="phone"),
    Way("push", medium="push", clicked=True),
    # A call to the shop's own system: no message to the person.
    Way("webhook", wakes=False, in_journeys=False, asks=UNASKED),
    Way(
        "inbox",
        needs="external_id",
        medium="inbox",
        clicked=True,
        wakes=False,
        asks=UNOPPOSED,
    ),
)
WAYS: dict[str, Way] = {way.key: way for way in _ALL}
# Word to colleagues about a person goes by mail, and not to the person.
_ASKS = {way.key: way.asks for way in _ALL} | {"staff": UNASKED}


def asks(channel: str) -> str:
    """Which consent counts for a channel; a yes to itself for one that nobody knows."""
    return _ASKS.get(channel, AGREED)
