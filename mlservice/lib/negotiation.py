"""The only place that chooses the form of the API's answers."""

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class Negotiation(DefaultContentNegotiation):
    """Weighs what a client accepts only where it says more than nearly all of them do."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> Any:
        first = next(iter(renderers))
        accepted = request.META.get("HTTP_ACCEPT", "*/*")
        if not format_suffix and accepted in {"*/*", first.media_type}:
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
