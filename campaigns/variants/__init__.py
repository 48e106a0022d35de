"""What a campaign tries: its variants, their shares, and the rounds that learn from answers."""
