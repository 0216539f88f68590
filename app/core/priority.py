"""How much a matter hurries; tickets and service levels both speak of it."""

from enum import StrEnum


class Priority(StrEnum):
    """From the least to the most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"
