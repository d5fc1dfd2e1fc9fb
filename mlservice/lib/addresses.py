"""The only place that says from which address a request came."""

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address that the outermost of our own PROXY_COUNT proxies saw.

    What stands further left in X-Forwarded-For was written by the client.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    seen = [part.strip() for part in forwarded.split(",")]
    proxies: int = settings.PROXY_COUNT
    if proxies and forwarded:
        return seen[-min(proxies, len(seen))]
    address: str = request.META.get("REMOTE_ADDR", "")
    return address
