"""What the peers run in environments of their own; nothing here is imported by this project."""

from pathlib import Path

SERVED = Path(__file__).parent
