"""Metadata of files: read from each kind alike, cleaned, written in the same kind or another."""
