"""How a record is written down as it is before and after a run: its columns by their names."""

LINES = "@lines"
"""The key of an image, and the column of a batch, that holds a document's lines in their order."""
