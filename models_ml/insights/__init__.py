"""What the shop's people are like: bands, stages and cohorts, and what they are measured by."""
