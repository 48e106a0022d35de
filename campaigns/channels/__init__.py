"""Channels as the team sets them up, and the domains that mails come from.

saving and trying are about channels; domains about DNS (lookups, spf) and keys for signing.
How a message goes out is none of this: see messaging/providers.
"""
