"""Verifies a Keras or QKeras model layer by layer with an independent NumPy reference."""

__version__ = "0.1.0"
