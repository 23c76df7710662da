"""States of the photographs: untouched, or released by a method for a codebook."""
