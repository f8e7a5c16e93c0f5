"""`Receiver`: a server with a certificate of its own that writes down callbacks, and answers as planned.

Belongs here: what came, when, and whether its signature is right. Does not: whether that was to come (judging.py).
"""

from __future__ import annotations

import json
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Lock, Thread

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rrgate.delivery.callbacks import signed
from rrgate.torture.plan import Plan


@frozen
class Told:
    """A callback that came. `at`: seconds of the monotonic clock. `id`: its own. `request_id`, `state`: as it says."""

    at: float
    id: str
    request_id: str
    state: str
    status: int
    """What it was answered."""
    genuine: bool
    """Its signature is right."""


class Receiver:
    """Runs in threads from when it is made until `close`."""

    def __init__(self, place: Path, plan: Callable[[int], Plan]) -> None:
        """`place`: a file for its certificate and key, which is written."""
        self.told: dict[int, list[Told]] = defaultdict(list)
        """By the requests' numbers."""
        self.secret = b""
        """That callbacks are signed with."""
        self._plan = plan
        self._lock = Lock()
        came = self._came

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(came(self, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """What comes is told at the end."""

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    pass  # the gateway was killed in the middle

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    pass

        self.certificate = place
        place.touch(mode=0o600)
        place.write_bytes(_certificate())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Not when it is accepted: one whose gateway was killed would hold up all others.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Take nothing more."""
        self._server.shutdown()
        self._server.server_close()

    def _came(self, request: BaseHTTPRequestHandler, body: bytes) -> int:
        number = int(request.path.rpartition("/")[2])
        headers = request.headers
        id, data = str(headers["webhook-id"]), json.loads(body)["data"]
        right = signed(id, int(headers["webhook-timestamp"]), body, [self.secret])
        genuine = headers["webhook-signature"] == right["webhook-signature"]
        with self._lock:
            known = self.told[number]
            status = self._plan(number).told(len(known))
            known.append(Told(time.monotonic(), id, data["requestId"], data["state"], status, genuine))
        return status


def _certificate() -> bytes:
    """For 127.0.0.1, signed by itself, and its key: whoever trusts it trusts nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "torture")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM) + secret
