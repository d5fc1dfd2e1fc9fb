"""The only place that says how a version's documents lie in the database."""

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class OrderedJSONField(models.JSONField):
    """A JSON document that keeps its keys in order: JSONB sorts them, and columns have one.

    The type `json` has no equality, so rows that hold it take no DISTINCT and no UNION.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        # As text: Django's own way casts to JSONB, which sorts the keys before they arrive.
        return value if hasattr(value, "as_sql") else json.dumps(value, allow_nan=False)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        # psycopg2 has parsed `json` already; it leaves only JSONB to Django.
        return value
