"""Pictures inside of a page: as data: addresses, so that whoever shows it fetches nothing from anywhere."""

import base64

from app.files.rules import OTHER, media_type

MOST_OF_ONE = 1_000_000  # bytes
MOST_OF_ALL = 5_000_000


class Album:
    """The pictures of one page, up to `most` bytes of one and `most_of_all` together."""

    def __init__(self, *, most: int = MOST_OF_ONE, most_of_all: int = MOST_OF_ALL) -> None:
        self._most, self._left = most, most_of_all
        self._known: dict[str, str] = {}

    def add(self, address: str, content: bytes) -> bool:
        """Whether these bytes are a raster picture, and there is room for it. What they are called doesn't count."""
        kind = media_type(content)
        if kind == OTHER or len(content) > min(self._most, self._left):
            return False
        self._left -= len(content)
        self._known[address] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        return True

    def get(self, address: str) -> str | None:
        """The picture that a page knows by this address."""
        return self._known.get(address)
