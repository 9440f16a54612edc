"""A proxy that passes every request on and, once, does not pass on the answer to one."""

import contextlib
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.server.passed.append(self.path)
        lost = next((end for end in self.server.forgets if self.path.endswith(end)), None)
        if lost:
            self.server.forgets.remove(lost)
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type") or "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def forgetful(port):
    """Run a proxy in front of a port; `forgets` takes ends of paths whose next answer gets lost."""
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    proxy.behind, proxy.forgets, proxy.passed = port, [], []
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
