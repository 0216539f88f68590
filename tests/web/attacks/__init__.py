"""Attacks, tried on every route there is: what is added later is covered by itself."""
