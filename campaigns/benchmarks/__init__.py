"""How fast campaigns render, send and choose, each beside its limit or peer in the same run."""
