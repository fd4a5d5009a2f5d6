"""Why a layer differs: one convention after the other is altered, and those that explain the numbers are told.

A rule (`rules/`, one file and one row each) proposes altered layer calls; `engine` computes each and says which of them
give what was observed. Nothing is guessed from names or texts, and no bound is ever widened.
"""
