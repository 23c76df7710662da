"""Searching an archive: engines, answers and their verdicts, evidence, duplicates."""
