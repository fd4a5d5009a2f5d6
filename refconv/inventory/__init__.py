"""What is in the weights, read from the file alone: no framework is needed for any of it."""
