"""text/enriched (RFC 1896) and text/richtext (RFC 1341) as plain text: what is said, without how it would look."""

import re

_TOKEN = re.compile(r"<<|<(/?)([A-Za-z0-9-]{1,60})>|\n+|[^<\n]+|<")
_SILENT = {"param", "comment"}


def plain(written: str, *, richtext: bool) -> str:
    """The text. A line break alone is a space, further ones stand; in richtext only <nl> breaks a line."""
    out: list[str] = []
    silent = verbatim = 0
    for token in _TOKEN.finditer(written):
        closing, command, said = token[1], (token[2] or "").lower(), token[0]
        step = -1 if closing else 1
        if command in _SILENT:
            silent = max(silent + step, 0)
        elif command == "nofill":
            verbatim = max(verbatim + step, 0)
        elif not silent and not (command and not richtext):
            out.append(_RICH.get(command, "") if command else _unbroken(said, richtext) if not verbatim else said)
    return "".join(out)


_RICH = {"nl": "\n", "lt": "<", "np": "\n\n", "paragraph": "\n"}


def _unbroken(said: str, richtext: bool) -> str:
    if said.startswith("\n"):
        return " " if richtext or len(said) == 1 else said[1:]
    return "<" if said == "<<" and not richtext else said
