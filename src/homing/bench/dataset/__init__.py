"""What is searched for among what, and what is right."""
