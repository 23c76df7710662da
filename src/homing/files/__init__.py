"""Files and folders that survive a crash: written durably, locked, and found again."""
