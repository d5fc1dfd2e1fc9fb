"""The only place that lets every process find models and versions anew after a change."""

from django.db import connection, transaction

from ml_models.selectors import CHANGES, forget_found_versions


def announce_change() -> None:
    """Let this process and whoever listens read versions anew, as soon as the change is there.

    Who hears nothing follows within VERSION_CACHE_SECONDS.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANGES}")
    transaction.on_commit(forget_found_versions)
