"""Each state measured: recall, false matches, copy detection."""
