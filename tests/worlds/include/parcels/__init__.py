"""Which of tomorrow's parcels will be late? A small pipeline of the tests' own, on synthetic data."""
