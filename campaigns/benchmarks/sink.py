"""A mail server that takes everything and keeps nothing: the far end of a measurement.

Run as a process, it prints its port and serves until it is ended. It understands just enough SMTP
for a well-behaved client, so that what is measured is the client.
"""

import asyncio
import sys

_REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"HELO": b"250 sink\r\n",
    b"MAIL": b"250 ok\r\n",
    b"RCPT": b"250 ok\r\n",
    b"RSET": b"250 ok\r\n",
    b"NOOP": b"250 ok\r\n",
    b"DATA": b"354 go on\r\n",
}


class Sink(asyncio.Protocol):
    """One session."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.data = bytearray()
        self.in_mail = False
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, chunk: bytes) -> None:
        self.data += chunk
        while True:
            if self.in_mail:
                end = self.data.find(b"\r\n.\r\n", max(0, len(self.data) - len(chunk) - 4))
                if end < 0:
                    return
                del self.data[: end + 5]
                self.in_mail = False
                self.transport.write(b"250 taken\r\n")  # type: ignore[attr-defined]
                continue
            end = self.data.find(b"\r\n")
            if end < 0:
                return
            verb = bytes(self.data[:4]).upper()
            del self.data[: end + 2]
            if verb == b"QUIT":
                self.transport.write(b"221 bye\r\n")  # type: ignore[attr-defined]
                self.transport.close()
                return
            self.in_mail = verb == b"DATA"
            self.transport.write(_REPLIES.get(verb, b"500 what\r\n"))  # type: ignore[attr-defined]


async def serve() -> None:
    """Listen on a free port of this machine and print it."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=64)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
