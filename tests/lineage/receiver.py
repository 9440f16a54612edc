"""A lineage backend on the loopback address that does what a test tells it to do."""

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENDPOINT = "/api/v1/lineage"
_REQUIRED = {"eventTime", "producer", "schemaURL", "run", "job"}


class Receiver(ThreadingHTTPServer):
    """Accepts OpenLineage events, or misbehaves.

    Set `behaviour` to the status to answer with, or to one of `hang`, `drip`, `reset`, `close`.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour: int | str = 201
        self.requests = 0
        self.accepted: list[dict] = []
        self.keys: list[str | None] = []
        #: Ends everything that hangs.
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def wait_for_requests(self):
        """Wait until somebody has asked."""
        while not self.requests:
            time.sleep(0.01)

    def statuses(self):
        """Type and run of everything that was accepted, in the order of arrival."""
        return [(event["eventType"], event["run"]["runId"]) for event in self.accepted]


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def nobody_listens() -> str:
    """An address at which every connection is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        self.server.requests += 1
        self.server.keys.append(self.headers["Authorization"])
        body = self.rfile.read(int(self.headers["Content-Length"]))
        {"hang": self._hang, "drip": self._drip, "reset": self._reset, "close": self._close}.get(
            self.server.behaviour, lambda: self._answer(body)
        )()

    def _answer(self, body):
        status = self.server.behaviour
        if status == 302:
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        if status < 300:
            status = status if self._accept(body) else 422
        self.send_response(status)
        self.end_headers()

    def do_GET(self):
        """Answer 200, as the page behind a redirect does."""
        self.send_response(200)
        self.end_headers()

    def _accept(self, body):
        event = json.loads(body)
        if self.path != ENDPOINT or not event.keys() >= _REQUIRED or "runId" not in event["run"]:
            return False
        self.server.accepted.append(event)
        return True

    def _hang(self):
        self.server.released.wait()

    def _drip(self):
        """Begin an answer that never ends: each byte arrives in time, the status never."""
        while not self.server.released.wait(0.05):
            try:
                self.wfile.write(b".")
            except OSError:
                return

    def _reset(self):
        """Close without the usual farewell, which needs every handle of the connection to be closed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def _close(self):
        """Say farewell, and nothing before."""

    def log_message(self, *_):
        """Keep the test's output for the test."""
