"""The project's own text files, and what each is written in."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SHEBANG = re.compile(r"#!.*?\b(python|bash|sh)[\d.]*\b")
BY_SUFFIX = {".py": "python", ".sh": "shell", ".html": "html"}


@dataclass(frozen=True)
class Source:
    """One file: its path from the repository's root, with forward slashes, and its text."""

    path: str
    text: str

    @property
    def language(self) -> str:
        """python, shell, html, docker, or nothing: by the file's name, and for what is run by its first line."""
        path = Path(self.path)
        if path.name.startswith("Dockerfile"):
            return "docker"
        if path.suffix in BY_SUFFIX:
            return BY_SUFFIX[path.suffix]
        shebang = SHEBANG.match(self.text)
        if shebang is None:
            return ""
        return "python" if shebang[1] == "python" else "shell"

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file; empty for anything but Python. Raises SyntaxError for Python that isn't any."""
        return ast.parse(self.text if self.language == "python" else "", self.path)

    def within(self, *places: str) -> bool:
        """Whether this is one of the given files, or lies in one of the given folders (which end in a slash)."""
        return any(self.path == place or (place.endswith("/") and self.path.startswith(place)) for place in places)


def read_all(root: Path) -> Iterator[Source]:
    """Every text file that git knows or would take; what .gitignore names is not ours."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for path in sorted(set(listing.stdout.split("\0")) - {""}):
        try:
            yield Source(path, (root / path).read_text("utf-8"))
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            continue  # deleted but not committed, a submodule, a picture
