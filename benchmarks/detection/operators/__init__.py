"""Fault operators, one file per family."""
