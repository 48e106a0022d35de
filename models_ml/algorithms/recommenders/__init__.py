"""What somebody buys next: one engine a file, all with the verbs of `base.Recommender`."""
