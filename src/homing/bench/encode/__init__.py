"""From pictures, crops and edited copies to rows of vectors and hashes, cached."""
