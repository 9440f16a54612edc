"""The smallest pipeline that runs every stage."""
