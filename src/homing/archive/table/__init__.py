"""The table of an archive: one Lance dataset, its rows, its index. Nothing else knows Lance."""
