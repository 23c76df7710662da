"""homing inside other programs, by their own interfaces; each needs the extra of its name."""
