"""Attachments: a row, and a blob named by its content."""
