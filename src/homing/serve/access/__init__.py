"""Who may do what: keys, sessions, rates and bounds."""
