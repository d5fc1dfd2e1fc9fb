"""The one way a list is cut into pages, by API and on pages: by ids, newest first, uncounted."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response


class NewestFirst(CursorPagination):
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """Give one page; a cursor that carries no id is as unknown as one that is garbled."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError) as error:
            raise NotFound(self.invalid_cursor_message) from error

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self.get_next_link(), "previous": self.get_previous_link(), "results": data}
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, newest first, and whether there are newer and older ones."""

    object_list: list[Any]
    has_newer: bool
    has_older: bool

    def __iter__(self) -> Iterator[Any]:
        return iter(self.object_list)

    @property
    def has_other_pages(self) -> bool:
        return self.has_newer or self.has_older


def page_of(rows: QuerySet[Any], asked: Mapping[str, Any], size: int) -> Page:
    """Cut out the page that an address asks for: `before` or `after` an id, else the newest.

    However long the list is, `size` + 1 of its rows are read. An id that is none is left aside.
    """
    with suppress(ValueError, ValidationError):
        if after := asked.get("after"):
            near = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
            # With no more than a page of newer ones, they are the newest.
            if len(near) > size:
                return Page(near[size - 1 :: -1], has_newer=True, has_older=True)
        elif before := asked.get("before"):
            near = list(rows.filter(pk__lt=before).order_by("-pk")[: size + 1])
            if near:
                return Page(near[:size], has_newer=True, has_older=len(near) > size)
    near = list(rows.order_by("-pk")[: size + 1])
    return Page(near[:size], has_newer=False, has_older=len(near) > size)
