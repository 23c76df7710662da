"""Previews: small pictures of the entries, in files beside the table."""
