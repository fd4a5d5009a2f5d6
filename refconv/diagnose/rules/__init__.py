"""One rule per file; `table` lists them. A file's docstring is the rule's documentation (`refconv rule CODE`)."""
