"""A text-message gateway of a test, which remembers what it took and can be told to misbehave."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Gateway:
    """Listens on a free port in a thread. `hold_seconds` passes between taking and answering."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.status = 200
        self.hang_up = False
        self.hold_seconds = 0.0
        self.on_take = None
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.taken.append(said)
                if gateway.on_take is not None:
                    gateway.on_take(said)
                time.sleep(gateway.hold_seconds)
                if gateway.hang_up:
                    self.close_connection = True
                    return
                body = json.dumps({"id": f"ref-{len(gateway.taken)}"}).encode()
                self.send_response(gateway.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def copies(self) -> Counter:
        """How many messages each number got."""
        return Counter(said["to"] for said in self.taken)


@contextmanager
def listening() -> Iterator[Gateway]:
    box = Gateway()
    try:
        yield box
    finally:
        box.close()
