"""Whom a campaign means, by which channel each can be reached, and how chance parts them."""
