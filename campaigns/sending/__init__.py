"""A campaign's life after somebody presses send: its runs, their rows, waits and ends."""
