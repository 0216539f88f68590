"""One file a process: wire, loop, stop."""
