"""Recommendations for integrators.

picks       one person's stored picks, the engines, and choosing anew
live        picks for a visit within a request, for servers and for browsers
placements  where picks are shown, and under which rules
"""
