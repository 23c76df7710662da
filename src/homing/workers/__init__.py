"""Workers: processes of this machine, or a Ray cluster."""
