"""HTTP: uploads, early answers, requests, names, counts and the log."""
