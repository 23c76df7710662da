"""Search: engines over codes, exact ranking, views of a query, and false-alarm rates.

Nothing is imported here, so that an engine loads no code that reads pictures.
"""
