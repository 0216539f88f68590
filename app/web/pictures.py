"""Pictures in mails: those of the mail itself, and those from elsewhere, which the desk fetches when somebody asks for them.

A reader's browser fetches none: every picture stands in the page that shows it. So the sender learns that somebody looked, but
neither who nor where, and what is fetched is only what the stored mail names.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache
from time import monotonic
from urllib.parse import unquote, urlsplit

from app.core import html
from app.core.http import Guard, Refused
from app.files.pictures import Album

MOST = 50  # of one mail
MOST_OF_ONE, MOST_OF_ALL = 5_000_000, 20_000_000  # bytes
PATIENCE, ALTOGETHER = 5.0, 15.0  # seconds
ACCEPT = "image/png,image/jpeg,image/gif,image/webp"

_workers = ThreadPoolExecutor(8, thread_name_prefix="picture")  # as many at once, whoever asks
log = logging.getLogger(__name__)


@cache
def guard(public_url: str) -> Guard:
    """What may be asked: the open net, and not ourselves."""
    return Guard(ours=(urlsplit(public_url).hostname or "",))


def of_the_mail(page: str, files: Mapping[str, Callable[[], bytes]]) -> Album:
    """The pictures that the mail brought: as files, by their ids, or written into its page."""
    album = Album()
    for address in html.pictures(page):
        scheme, _, id = unquote(address).partition(":")
        if scheme == "cid" and id in files:
            album.add(address, files[id]())
        elif scheme == "data":
            album.add(address, _written(address))
    return album


def elsewhere(page: str) -> list[str]:
    """What the page shows from elsewhere."""
    return [address for address in html.pictures(page) if address.startswith(html.ELSEWHERE)][:MOST]


def fetch(addresses: Sequence[str], asked: Guard) -> Iterator[tuple[str, bytes]]:
    """The pictures that can be had in time. What else is named is left out, and told in the log."""
    until = monotonic() + ALTOGETHER
    waiting: dict[Future[bytes], str] = {_workers.submit(_one, asked, address): address for address in addresses}
    try:
        while waiting and (left := until - monotonic()) > 0:
            for future in wait(waiting, timeout=left, return_when=FIRST_COMPLETED).done:
                address = waiting.pop(future)
                try:
                    yield address, future.result()
                except Refused as refused:
                    log.info("a picture was not fetched", extra={"reason": str(refused)})
    finally:
        for future in waiting:
            future.cancel()


def _one(asked: Guard, address: str) -> bytes:
    return asked.get(address.removeprefix(html.ELSEWHERE), most=MOST_OF_ONE, patience=PATIENCE, accept=ACCEPT)


def _written(address: str) -> bytes:
    try:
        return base64.b64decode(unquote(address.partition(",")[2]))
    except (binascii.Error, ValueError):
        return b""
