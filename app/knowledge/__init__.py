"""What the staff knows and says again: canned replies."""
