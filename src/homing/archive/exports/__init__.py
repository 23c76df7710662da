"""Exports of an archive for other software: Faiss and Postgres."""
