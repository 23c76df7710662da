"""What frames a picture: bars and bands around it, or a page that shows it."""
