"""Decisions of people: a query is a copy of an entry, or is not."""
