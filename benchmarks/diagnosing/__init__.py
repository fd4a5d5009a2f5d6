"""Planted faults, and what the rules say of them."""
