"""One folder per pipeline: everything that a user edits."""
