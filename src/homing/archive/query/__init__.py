"""Queries of an archive: engines, answers with their verdicts, evidence, near duplicates."""
