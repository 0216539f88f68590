"""ATUM Desk: a complete support desk in one container."""

__version__ = "0.1.0"
