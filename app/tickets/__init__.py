"""The heart: opening, accepting, answering and closing tickets."""
