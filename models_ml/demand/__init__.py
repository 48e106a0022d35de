"""Demand: how much of each product will be sold in the next weeks, with bounds.

sales        what was sold by product and period, read in one statement
forecasting  learn, judge, publish or refuse, and write everybody's rows (for workers)
reading      for pages and the API: the rows that serve, what was sold lately, start a forecast

The figures a version was judged by lie in `ModelVersion.details` (kind "demand"): table, coverage,
shares of the methods, grain, verdict.
"""
