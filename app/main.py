"""`app.main:app` is the ASGI application."""

from app.entry.web import application

app = application()
