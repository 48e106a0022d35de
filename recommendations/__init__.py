"""Picks: which products to show to whom, and why.

Owns Placement, RecommendationSet and Recommendation. Read first: `build.py`, `serve.py`,
`rules.py`. It must not know who shows the picks.
"""
