"""How Airloom's tables in the state database came to be what they are, one step after the other."""
