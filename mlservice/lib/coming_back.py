"""The only place that says whether an address somebody was on the way to lies on this site."""

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme


def own_address(request: HttpRequest, address: str, *, otherwise: str) -> str:
    """Give the address back if it is ours, else that of the view named `otherwise`."""
    # A bare word would be taken for the name of a view.
    is_ours = address.startswith("/") and url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours else resolve_url(otherwise)
