"""Pages for marketers: imports, people, products, and the health of the data."""
