"""Finding tickets by a line of words and filters."""
