#!/usr/bin/python3
"""An HTTP server for the tests: it serves a directory on 127.0.0.1, and fails where it is told to.

It prints "port N" when it listens, and ends when its standard input ends. Besides the files there are:

    /status/503    an answer with that status
    /cut/FILE      the first half of the file, and then the connection is closed
    /stall/FILE    the first half of the file, and then nothing more comes
"""

import argparse
import base64
import hashlib
import http.server
import re
import sys
import threading
from functools import partial
from pathlib import Path

REALM = "tests"
NONCE = "0123456789abcdef"


def md5(text: str) -> str:
    """Give the digest that RFC 2617 asks for."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files, to whoever may have them, and failures."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, options: argparse.Namespace) -> None:
        """Keep the options: the base class answers the request within its initialiser."""
        self.options = options
        super().__init__(*arguments, directory=options.directory)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a request."""
        if not self.may_enter():
            self.refuse()
        elif match := re.fullmatch(r"/status/(\d+)", self.path):
            self.send_response(int(match[1]))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif match := re.fullmatch(r"/(cut|stall)/(.+)", self.path):
            self.send_half(Path(self.options.directory, match[2]).read_bytes(), stalls=match[1] == "stall")
        elif match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            self.send_rest(int(match[1]))
        else:
            super().do_GET()

    def send_half(self, content: bytes, *, stalls: bool) -> None:
        """Promise a file and send half of it."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        if stalls:
            # Until the client has gone.
            self.rfile.read(1)
        self.close_connection = True

    def send_rest(self, start: int) -> None:
        """Send a file from a byte on."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(max(0, len(content) - start)))
        self.end_headers()
        self.wfile.write(content[start:])

    def refuse(self) -> None:
        """Ask for credentials."""
        self.send_response(401)
        digest = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth"'
        challenge = digest if self.options.auth == "digest" else f'Basic realm="{REALM}"'
        self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def may_enter(self) -> bool:
        """Check the credentials."""
        if self.options.auth == "none":
            return True
        kind, _, rest = self.headers.get("Authorization", "").partition(" ")
        user, password = self.options.user, self.options.password
        if self.options.auth == "basic":
            return kind == "Basic" and rest == base64.b64encode(f"{user}:{password}".encode()).decode()
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', rest))
        secret = md5(f"{user}:{REALM}:{password}")
        request = md5(f"{self.command}:{given.get('uri', '')}")
        wanted = f"{secret}:{NONCE}:{given.get('nc', '')}:{given.get('cnonce', '')}:auth:{request}"
        return kind == "Digest" and given.get("username") == user and given.get("response") == md5(wanted)


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of clients that went away."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--auth", choices=["none", "basic", "digest"], default="none")
    parser.add_argument("--user", default="user")
    parser.add_argument("--password", default="")
    server = Server(("127.0.0.1", 0), partial(Handler, options=parser.parse_args()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"port {server.server_port}", flush=True)
    sys.stdin.buffer.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
