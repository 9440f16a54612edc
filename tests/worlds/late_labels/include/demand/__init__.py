"""How much of each product will each shop sell on each of the next three days? Several days share a label."""
