"""The base of every refusal: what the domain says when it will not do a thing."""

from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class DomainError(Exception):
    """A refusal with the HTTP status, the code and the title a client sees.

    Each app lists its own in `errors.py`, a few lines each. Keyword details travel in
    the problem body beside `detail`; `errors` positions row errors by index. What a page can show
    is written lazily, with the details in braces: it reads in the reader's language there, and in
    English in the API.
    """

    status = 400
    code = "invalid_request"
    title: "_StrOrPromise" = _("The request cannot be done")
    sentence: "_StrOrPromise" = ""
    retry_after_seconds: int | None = None

    def __init__(self, detail: "_StrOrPromise | None" = None, **extra: Any) -> None:
        detail = detail or self.sentence or self.title
        has_braces = bool(extra) and isinstance(detail, Promise)
        self.detail = format_lazy(detail, **extra) if has_braces else detail
        self.extra = extra
        super().__init__(self.detail)

    @property
    def in_english(self) -> str:
        """Give the detail as the API says it, whatever language is spoken now."""
        with override("en"):
            return str(self.detail)


class InvalidRequest(DomainError):
    """The request breaks a rule that its sender can mend."""


class Unavailable(DomainError):
    status = 503
    code = "unavailable"
    title = "The service is briefly unavailable, try again"
    retry_after_seconds = 2
