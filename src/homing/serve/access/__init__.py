"""Access control: keys, sessions, rates and sizes."""
