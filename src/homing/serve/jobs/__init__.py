"""Releases by upload: stored, queued, followed and previewed."""
