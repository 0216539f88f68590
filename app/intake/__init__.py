"""Mail in: taken raw first, read in a limited child, then joined to its ticket."""
