"""A project with three pipelines whose labels become known late, or are shared, or are in the scored row."""
