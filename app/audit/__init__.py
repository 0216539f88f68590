"""One append-only, hash-chained row per change: the timeline, the audit and the source of notices at once."""
