"""Rules that users write: macros."""
