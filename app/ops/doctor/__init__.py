"""`atum doctor`: what is amiss with the desk and around it, subject by subject, each time with what mends it."""
