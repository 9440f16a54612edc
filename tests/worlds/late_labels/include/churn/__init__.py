"""Which customers will have left a week from now? What is known a week later is known late, and corrected."""
