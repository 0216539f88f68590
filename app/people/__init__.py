"""People by mail: invitations, forgotten passwords, new addresses."""
