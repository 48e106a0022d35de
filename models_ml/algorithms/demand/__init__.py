"""How much of each product will be sold: periods in, periods ahead with bounds out.

series    what was sold by product and period, and how time is cut
methods   forecasts of a product from its own past, all products at once
pooled    gradient boosting over all products; young: products without a past of their own
bands     bounds from errors made before; judging: MASE, coverage and losses
contest   rolls through time, chooses who serves which product, judges, forecasts
"""
