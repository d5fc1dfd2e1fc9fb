"""An object store for tests: the few words of S3 that GET and PUT need, over real HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pytest_django import Settings

NO_SUCH_KEY = b"<Error><Code>NoSuchKey</Code><Message>There is no such key</Message></Error>"


class ObjectStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, content: bytes) -> None:
        self.objects[f"/models/{key}"] = content

    def handler(self) -> type[BaseHTTPRequestHandler]:
        objects = self.objects

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = objects.get(self.path)
                self.send_response(404 if content is None else 200)
                body = NO_SUCH_KEY if content is None else content
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing: a test's output is for the test."""

        return Handler


@contextmanager
def serving_objects() -> Iterator[tuple[ObjectStore, str]]:
    """Serve a store's objects over HTTP and give the store and its address."""
    store = ObjectStore()
    server = ThreadingHTTPServer(("127.0.0.1", 0), store.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield store, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def object_store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with serving_objects() as (store, address):
        settings.MODEL_REMOTE_BUCKET = "models"
        settings.MODEL_REMOTE_ENDPOINT_URL = address
        yield store
