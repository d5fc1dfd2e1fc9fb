"""The only place that stands in for Stripe: its Checkout on this machine, and its signature."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import stripe

SECRET = "whsec_only_for_tests"
API_KEY = "sk_test_only_for_tests"


@dataclass
class Asked:
    """One request that the stand-in was sent."""

    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class StripeStub:
    """Answers as Stripe does; the same idempotency key gives the same session."""

    url: str = ""
    status: int = 200
    refusal: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sent: dict[str, dict[str, str]] = field(default_factory=dict)
    # The session is made, and its answer lost on the way.
    dies_after_acting: bool = False

    def answer(self, asked: Asked) -> dict[str, Any]:
        self.asked.append(asked)
        if self.status != 200:
            return {"error": self.refusal}
        key = asked.headers["Idempotency-Key"]
        if self.sent.setdefault(key, asked.form) != asked.form:
            self.status = 400
            return {"error": {"type": "idempotency_error", "message": "Other parameters."}}
        if self.dies_after_acting:
            self.dies_after_acting, self.status = False, 503
            return {"error": {"type": "api_error", "message": "Down"}}
        self.status = 200
        name = f"cs_test_{key}"
        return {
            "id": name,
            "object": "checkout.session",
            "url": f"https://checkout.stripe.example/{name}",
        }

    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient(
            API_KEY,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=5),
        )


@contextmanager
def running_stub() -> Iterator[StripeStub]:
    stub = StripeStub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode())
            asked = Asked(self.path, dict(self.headers), {k: v[0] for k, v in form.items()})
            body = json.dumps(stub.answer(asked)).encode()
            self.send_response(stub.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the test asserts what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


def signed(event: Any, *, secret: str = SECRET, timestamp: int | None = None) -> Any:
    """Give the body of an event and the header that Stripe would send with it.

    event: a text is the body itself.
    """
    body = event if isinstance(event, str) else json.dumps(event)
    signature = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp)
    return {"data": body, "content_type": "application/json", "HTTP_STRIPE_SIGNATURE": signature}


def event(kind: str, *, id: str = "evt_1", **thing: Any) -> dict[str, Any]:
    return {"id": id, "object": "event", "type": kind, "data": {"object": thing}}


def checkout_event(
    top_up: Any, *, kind: str = "completed", id: str = "evt_1", **fields: Any
) -> Any:
    """Give the event that reports a paid checkout of this top-up, unless `fields` differ."""
    session = {
        "id": f"cs_test_{top_up.pk}",
        "object": "checkout.session",
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": top_up.cents,
        "currency": top_up.currency.lower(),
        "metadata": {"top_up": str(top_up.pk)},
    }
    return event(f"checkout.session.{kind}", id=id) | {"data": {"object": session | fields}}
