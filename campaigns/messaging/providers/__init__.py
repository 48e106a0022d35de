"""Ways out of the house, a folder each: adding one is copying a folder and changing what it says.

A folder's name is the provider's; its `__init__` holds a subclass of base.Provider called
`Provider`, which declares the kind of channel, the settings, what a sender that died leaves open,
and how to connect. base says what a provider is and what it answers, registry finds the folders.
"""

from campaigns.messaging.providers.registry import everything, find, load, open

__all__ = ["everything", "find", "load", "open"]
