"""The way to PostgreSQL, the only truth; and to Redis, which may forget at any moment."""
