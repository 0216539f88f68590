"""The API under load, beside the least that could do the same: a bare FastAPI and asyncpg application with hand-written SQL."""
