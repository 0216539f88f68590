"""Rules of this house that no ready-made linter knows, each a file in rules/ that opens with the harm it prevents.

A rule is a module with `check(source)`, which yields the line and a message for each finding.
"""
