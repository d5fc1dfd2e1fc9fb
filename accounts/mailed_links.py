"""The only place that says how a page is served whose address is itself a secret."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponse]


def behind_a_mailed_link(view: View) -> View:
    """Keep the page in no cache, and its address out of what the browser asks for next."""

    @never_cache
    @wraps(view)
    def served(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        # With none at all the browser would send no origin either, and the form be refused.
        response["Referrer-Policy"] = "origin"
        return response

    return served
