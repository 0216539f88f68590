"""One file a rule; every module here is run."""
