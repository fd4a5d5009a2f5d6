"""Losses and metrics in NumPy: what Keras's names mean, and which values rounding allows."""
