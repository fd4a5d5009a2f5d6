"""How fast refconv's loops are beside what else computes them."""
