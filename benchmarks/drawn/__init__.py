"""What strategies.py measures."""
