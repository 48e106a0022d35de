"""Addresses of segments, content and campaigns, composed from a list per noun."""

app_name = "campaigns"

pages: list = []
api: list = []
