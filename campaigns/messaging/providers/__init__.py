"""Ways out of the house: base says what a provider answers, smtp is the first one."""
