"""A real DNS server in this process, for what it is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from dns.resolver import Resolver


@dataclass
class Names:
    """TXT records by name, each a list of lines as in a zone file. `rcode` instead, where it is set; `deaf`: no answer at all."""

    port: int = 0
    texts: dict[str, list[str]] = field(default_factory=dict)
    rcode: dns.rcode.Rcode | None = None
    deaf: bool = False
    asked: int = 0

    def resolver(self) -> Resolver:
        """Whoever asks it."""
        made = Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], self.port
        return made

    def answer(self, asked: bytes) -> bytes:
        query = dns.message.from_wire(asked)
        reply = dns.message.make_response(query)
        name = query.question[0].name
        texts = self.texts.get(name.to_text(omit_final_dot=True))
        if self.rcode is not None or texts is None:
            reply.set_rcode(dns.rcode.NXDOMAIN if self.rcode is None else self.rcode)
        elif texts:
            reply.answer.append(dns.rrset.from_text_list(name, 60, "IN", "TXT", texts))
        return reply.to_wire()


@contextmanager
def serving() -> Iterator[Names]:
    """The server, listening."""
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        names.port = door.getsockname()[1]

        def serve() -> None:
            while True:
                asked, who = door.recvfrom(4096)
                if not asked:
                    return
                names.asked += 1
                if not names.deaf:
                    door.sendto(names.answer(asked), who)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield names
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", names.port))
        thread.join(5)
