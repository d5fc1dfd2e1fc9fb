"""The only place that answers Prometheus: whoever sends METRICS_TOKEN reads, nobody else."""

import hmac
import os
import socketserver
import time
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Any

import structlog
from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

logger = structlog.get_logger(__name__)

ROOM_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
Answer = tuple[int, dict[str, str], bytes]


def registry_of(*collectors: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return registry


def answer(registry: CollectorRegistry, authorization: str) -> Answer:
    """Give status, headers and body for who sends this header; without the setting it is 404."""
    if not settings.METRICS_TOKEN:
        return 404, {}, b""
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not hmac.compare_digest(authorization.encode(), expected):
        return 401, {"WWW-Authenticate": "Bearer"}, b""
    return 200, {"Content-Type": CONTENT_TYPE_LATEST}, generate_latest(registry)


class Server(socketserver.ThreadingTCPServer):
    """One address, `/metrics`, for the roles that have no other port."""

    allow_reuse_address = True
    daemon_threads = True


def serve(registry: CollectorRegistry) -> None:
    """Answer on METRICS_PORT from a thread of its own, where that and METRICS_TOKEN are set."""
    if settings.METRICS_PORT and settings.METRICS_TOKEN:
        Thread(target=_serve, args=(registry,), name="metrics", daemon=True).start()


def _serve(registry: CollectorRegistry) -> None:
    address = (os.environ.get("BIND_HOST", "127.0.0.1"), settings.METRICS_PORT)
    handler = type("Handler", (_Handler,), {"registry": registry})
    is_told = False
    while True:
        try:
            with Server(address, handler) as server:
                server.serve_forever()
        except OSError as error:
            # Nobody's work stops for it: perhaps the one before us is still on its way out.
            if not is_told:
                logger.warning("metrics_port_taken", port=settings.METRICS_PORT, error=str(error))
            is_told = True
            time.sleep(ROOM_SECONDS)


class _Handler(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        if self.path != "/metrics":
            self._say(404, {}, b"")
            return
        self._say(*answer(self.registry, self.headers.get("Authorization", "")))

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (*headers.items(), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each time that Prometheus asks."""
