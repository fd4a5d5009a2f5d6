"""For the tests of refconv's users, and its own: Hypothesis strategies, and what pytest needs.

Nothing is imported here: strategies need Hypothesis alone, and the rest of refconv neither that nor pytest.
"""
