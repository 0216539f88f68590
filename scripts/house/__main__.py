"""Run every rule over the checkout: `path:line rule message` for each finding, and exit 1 if there are any.

`python -m scripts.house --list LANGUAGE` prints the files of one language instead, each ended by a NUL,
for the tools that need them named.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from scripts.house import rules
from scripts.house.source import Source, read_all

ROOT = Path(__file__).resolve().parents[2]
RULES = {module.name: import_module(f"{rules.__name__}.{module.name}") for module in iter_modules(rules.__path__)}


def findings(source: Source) -> Iterator[str]:
    """Each finding in one file, ready to print."""
    for name, rule in RULES.items():
        for line, message in rule.check(source):
            yield f"{source.path}:{line} {name} {message}"


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 where a rule found something."""
    sources = list(read_all(ROOT))
    if arguments[:1] == ["--list"]:
        print(end="".join(f"{source.path}\0" for source in sources if source.language == arguments[1]))
        return 0
    found = [finding for source in sources for finding in findings(source)]
    print("\n".join([*found, f"house: {len(RULES)} rules, {len(sources)} files, {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
