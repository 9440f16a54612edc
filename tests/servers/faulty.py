"""A server in front of another that answers some requests badly, and counts them all."""

import contextlib
import http.client
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: What S3 answers, by its code: the status and what it says besides.
ANSWERS = {
    "SlowDown": (503, "<Message>Please reduce your request rate.</Message>"),
    "AccessDenied": (403, "<Message>Access Denied</Message>"),
    "AuthorizationHeaderMalformed": (
        400,
        "<Message>The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
        "</Message><Region>eu-west-1</Region>",
    ),
    "PermanentRedirect": (
        301,
        "<Message>The bucket you are attempting to access must be addressed using the specified endpoint.</Message>"
        "<Endpoint>abc.s3.eu-west-1.amazonaws.com</Endpoint>",
    ),
    "RequestTimeTooSkewed": (
        403,
        "<Message>The difference between the request time and the current time is too large.</Message>",
    ),
    "InvalidAccessKeyId": (
        403,
        "<Message>The AWS Access Key Id you provided does not exist in our records.</Message>"
        "<AWSAccessKeyId>planted-key-id</AWSAccessKeyId>",
    ),
    "NotImplemented": (501, "<Message>A header you provided implies functionality that is not implemented.</Message>"),
    "NoSuchUpload": (404, "<Message>The specified multipart upload does not exist.</Message>"),
    "ConditionalRequestConflict": (
        409,
        "<Message>A conflicting conditional operation is in progress against this resource.</Message>",
    ),
    "KMS.DisabledException": (400, "<Message>The key is disabled.</Message>"),
}


class FaultyServer(ThreadingHTTPServer):
    """Passes requests on, but for those that it was told to spoil."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind, self.seen, self.orders, self._lock = port, [], [], threading.Lock()
        #: Headers that are not passed on.
        self.ignored = {"expect"}
        #: What the clock of the answers shows instead.
        self.date = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spoil(self, how, times=1, method="", path=""):
        """Answer the next requests that fit by a code or a `reset`; what is `lost` was carried out and not answered."""
        self.orders.append([how, times, method, path])

    def ignore_conditions(self):
        """Write whatever was asked to be written only when nothing is there."""
        self.ignored.add("if-none-match")

    def fate(self, method, path):
        """What is to become of a request."""
        with self._lock:
            for order in self.orders:
                how, times, wanted, part = order
                if times and wanted in method and part in path:
                    order[1] -= 1
                    self.seen.append((method, path, how))
                    return how
            self.seen.append((method, path, "passed"))
            return "passed"

    def handle_error(self, request, address):
        """Say nothing about connections that clients close."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fate = self.server.fate(self.command, self.path)
        if fate in ANSWERS:
            status, words = ANSWERS[fate]
            body = f"<Error><Code>{fate}</Code>{words}</Error>".encode()
            return self._answer(status, [("Content-Type", "application/xml")], body)
        answer = None if fate == "reset" else self._passed_on(body)
        return self._answer(*answer) if fate == "passed" else self._reset()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def handle_expect_100(self):
        """Tell at once that the body may come; clients wait for a second before they send it unasked."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def _passed_on(self, body):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.server.behind)) as connection:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in self.server.ignored}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            said = [each for each in answer.getheaders() if each[0].lower() != "date" or not self.server.date]
            date = [("Date", self.server.date)] if self.server.date else []
            return answer.status, said + date, answer.read()

    def _answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection") and (
                self.command == "HEAD" or name.lower() != "content-length"
            ):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_):
        """Keep quiet."""


@contextlib.contextmanager
def faulty_server(port):
    """Run one in front of a port until the block ends."""
    with FaultyServer(port) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
