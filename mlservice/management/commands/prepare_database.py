"""`manage.py prepare_database`: migrate as the owner, then give the application its rights."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections
from psycopg2 import sql

# Data only, and of the ledger only to read and to add: the role owns no table.
GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
REVOKE UPDATE, DELETE, TRUNCATE ON billing_ledgerentry FROM {role};
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role};
"""


class Command(BaseCommand):
    help = "Apply migrations as the owner and grant the application's role its rights."

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate through MIGRATION_DATABASE_URL when it is set, else through DATABASE_URL."""
        owner = "owner" if "owner" in settings.DATABASES else "default"
        call_command("migrate", database=owner, interactive=False, verbosity=options["verbosity"])
        role = settings.DATABASES["default"]["USER"]
        if role and role != settings.DATABASES[owner]["USER"]:
            grant(role, using=owner)
            self.stdout.write(f"The role {role} may use the data; the ledger it may only add to.")


def grant(role: str, *, using: str) -> None:
    """Give an existing role the application's rights on every table there is now."""
    with connections[using].cursor() as cursor:
        cursor.execute(sql.SQL(GRANTS).format(role=sql.Identifier(role)))
