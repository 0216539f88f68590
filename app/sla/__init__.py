"""The service-level engine: policies, clocks, and what is due."""
