"""Requests and answers: uploads, names, early answers, counts and the log."""
