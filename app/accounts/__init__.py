"""People, organizations, teams, roles and how they sign in."""
