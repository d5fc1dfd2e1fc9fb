"""What races have in common: real commits, and books that must agree when the dust has settled."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command


@pytest.fixture(autouse=True)
def clean_ledger(transactional_db: None) -> Iterator[None]:
    """Audit the books after each race."""
    yield
    call_command("audit_ledger", stdout=StringIO())
