"""Tables of users: from the text of a file to columns of numbers."""
