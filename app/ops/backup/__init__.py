"""Backups: one encrypted archive of everything, rehearsed, and the way back from it."""
