"""A visitor who speaks HTTP/3."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent


class Visitor(QuicConnectionProtocol):
    """One request, and the headers of its answer."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._h3 = H3Connection(self._quic)
        self.answer: asyncio.Future[dict[bytes, bytes]] = asyncio.get_running_loop().create_future()

    def ask(self, path: str, host: str) -> None:
        stream = self._quic.get_next_available_stream_id()
        asked = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path}
        self._h3.send_headers(stream, [(name.encode(), value.encode()) for name, value in asked.items()], end_stream=True)
        self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        for each in self._h3.handle_event(event):
            if isinstance(each, HeadersReceived) and not self.answer.done():
                self.answer.set_result(dict(each.headers))


async def get(port: int, path: str, *, authorities: Path, host: str = "localhost") -> dict[bytes, bytes]:
    """The headers of the answer, from whoever shows a certificate for localhost that these authorities vouch for."""
    how = QuicConfiguration(alpn_protocols=H3_ALPN, server_name="localhost", verify_mode=ssl.CERT_REQUIRED)
    how.load_verify_locations(cafile=str(authorities))
    async with connect("127.0.0.1", port, configuration=how, create_protocol=Visitor) as visitor:
        assert isinstance(visitor, Visitor)
        visitor.ask(path, host)
        return await asyncio.wait_for(visitor.answer, 10)
