"""Business calendars: pure working-time arithmetic."""
