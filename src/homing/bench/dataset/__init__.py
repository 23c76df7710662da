"""The data set of a run: base, queries and right answers."""
