"""Reads nginx's configuration as nginx does: words, quotes, comments, blocks, includes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_WORD = re.compile(r"""\s+|\#[^\n]*|(?P<mark>[{};])|"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>(?:\$\{|[^\s{};"'])+)""")


@dataclass(frozen=True)
class Directive:
    """One directive: its name and arguments, and what is in its block, with the includes put in their place."""

    name: str
    args: tuple[str, ...]
    block: list["Directive"] = field(default_factory=list)

    def all(self, name: str) -> list["Directive"]:
        """The directives of this name directly in the block."""
        return [each for each in self.block if each.name == name]

    def only(self, name: str) -> tuple[str, ...]:
        """The arguments of the one directive of this name in the block."""
        found = self.all(name)
        assert len(found) == 1, f"{len(found)} times {name} in {self.name} {self.args}"
        return found[0].args

    def walk(self) -> Iterator["Directive"]:
        """This one and everything below."""
        yield self
        for each in self.block:
            yield from each.walk()


def read(texts: dict[str, str], folder: str = "/run/atum/conf/") -> Directive:
    """The whole configuration, from nginx/nginx.conf on. `texts` is what was rendered."""
    return Directive("", (), _block(_words(texts["nginx/nginx.conf"]), texts, folder))


def _words(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        assert found, f"can't read {text[at : at + 40]!r}"
        at = found.end()
        kind = found.lastgroup
        if kind == "mark":
            yield "\0" + found[0]
        elif kind:
            yield found[kind]


def _block(words: Iterator[str], texts: dict[str, str], folder: str) -> list[Directive]:
    block: list[Directive] = []
    line: list[str] = []
    for word in words:
        if word == "\0}":
            return block
        if word not in {"\0;", "\0{"}:
            line.append(word)
            continue
        name, *args = line
        if name == "include":
            if args[0].startswith(folder):  # what others write while it runs is not ours to know
                block += _block(_words(texts[args[0].removeprefix(folder)]), texts, folder)
        else:
            block.append(Directive(name, tuple(args), _block(words, texts, folder) if word == "\0{" else []))
        line = []
    assert not line, f"unfinished: {line}"
    return block
