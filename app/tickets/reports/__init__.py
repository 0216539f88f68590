"""What the desk did: how much came, how long it took, and what was kept of what was promised."""
