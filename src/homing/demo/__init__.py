"""The demonstration: release pictures, edit them, search for the copies, show the results."""
