"""The demonstration: release some pictures, edit them, search for them, show what was found."""
