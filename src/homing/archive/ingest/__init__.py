"""Pictures going in: planned, described or activated, written and recorded."""
