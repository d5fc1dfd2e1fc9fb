"""The only place that gives the admin and the API's docs policies of their own.

The site's policy stands in settings; pages that other packages render cannot keep it.
"""

from collections.abc import Callable
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

INLINE_STYLES: dict[str, Any] = {"style-src": [SELF, UNSAFE_INLINE]}

# The admin's Alpine compiles expressions that stand in attributes; both write styles inline.
POLICIES: dict[str, dict[str, Any]] = {
    "/admin/": {**INLINE_STYLES, "script-src": [SELF, UNSAFE_EVAL]},
    "/api/docs/": INLINE_STYLES,
}


class PolicyMiddleware:
    """Stands below django-csp's middleware, which reads what is replaced here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for prefix, policy in POLICIES.items():
            if request.path_info.startswith(prefix):
                # The name by which django-csp takes a view's own policy.
                response._csp_replace = policy  # type: ignore[attr-defined]
        return response
