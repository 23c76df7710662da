"""The index of a table, in the forms that Lance has: segments, and how they are built."""
