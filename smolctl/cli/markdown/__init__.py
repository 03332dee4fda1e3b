"""Markdown that is shown on a terminal while it is being written."""
