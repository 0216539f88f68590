"""Pages for who runs the desk."""
