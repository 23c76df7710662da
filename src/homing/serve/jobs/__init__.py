"""Releases by upload: stored, queued and followed."""
