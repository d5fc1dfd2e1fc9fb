"""Mail at the operators' desk: what waits, what went, and what to try again."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mlservice.lib.admin import ReadOnlyAdmin
from mlservice.lib.logging import without_secrets
from mlservice.lib.mail.models import Letter
from mlservice.lib.mail.outbox import send_again


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "recipient", "subject", "attempts", "sent_at", "error")
    list_filter = (("sent_at", admin.EmptyFieldListFilter),)
    search_fields = ("=recipient", "event")
    ordering = ("-id",)
    # Who reads a link in a letter can be its reader, a superuser even.
    exclude = ("body",)
    readonly_fields = ("text",)
    actions = ("try_again",)

    @admin.display(description=gettext_lazy("text"))
    def text(self, letter: Letter) -> str:
        return without_secrets(letter.body)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let no address ask what a body holds: answer by answer it would be told."""
        return not lookup.startswith("body") and super().lookup_allowed(lookup, value, request)

    @admin.action(description=gettext_lazy("Send again what was not sent"), permissions=["operate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Letter]) -> None:
        count = send_again(letter_ids=queryset.values_list("pk", flat=True))
        self.message_user(request, _("Letters that will be tried again: %d.") % count)
