"""Ingest: pictures planned, described or activated, written and recorded."""
