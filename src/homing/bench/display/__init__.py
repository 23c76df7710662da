"""What ``homing bench`` shows of an outcome: tables, plots and the page."""
