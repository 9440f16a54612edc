"""How events reach a backend that may be slow, away or wrong, at the cost of no task."""
