"""How long texts of predictions are packed by the database."""

from django.db import connection

PACKED_BY = """
SELECT attname, attcompression FROM pg_attribute
WHERE attrelid = 'predictions_prediction'::regclass AND attname IN ('input', 'output')
"""


def has_lz4() -> bool:
    """Say whether the server was built with it: it offers as a default only what it knows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
        )
        return bool(cursor.fetchone()[0])


def test_input_and_output_are_packed_with_lz4_where_the_server_has_it(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PACKED_BY)
        found = dict(cursor.fetchall())

    method = "l" if has_lz4() else ""
    assert found == {"input": method, "output": method}
