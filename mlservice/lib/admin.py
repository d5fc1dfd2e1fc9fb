"""The only place that says what a page of the operators' desk may do when nothing says more."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest

from mlservice.lib.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.contrib.admin import ModelAdmin
    from django.db.models import Model

    BaseAdmin = ModelAdmin[Any]
else:
    from unfold.admin import ModelAdmin as BaseAdmin


class ReadOnlyAdmin(BaseAdmin):
    """Rows to look at: what changes them is an action that calls a service."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Say whether the operator may run actions here: Django's right to change the rows."""
        options = self.opts
        user: Any = request.user
        return bool(user.has_perm(f"{options.app_label}.change_{options.model_name}"))

    def each(
        self,
        request: HttpRequest,
        rows: "Iterable[Model]",
        do: "Callable[[Any], object]",
        done: str,
    ) -> None:
        """Do one thing to every chosen row, log it, and tell of each refusal in its own words."""
        for row in rows:
            try:
                do(row)
            except DomainError as refusal:
                self.message_user(request, f"{row}: {refusal.detail}", messages.ERROR)
            else:
                self.log_change(request, row, done)
                self.message_user(request, f"{row}: {done}", messages.SUCCESS)
