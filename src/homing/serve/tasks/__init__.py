"""Tasks done outside the event loop: decoding, releasing, and batches of queries."""
