"""From pictures, crops and edited copies to rows of vectors and hashes, kept in a cache."""
