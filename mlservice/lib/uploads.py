"""The only place that takes in uploaded files: in memory, and never on a disk that may be full."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import MemoryFileUploadHandler


class InMemoryUpload(MemoryFileUploadHandler):
    """Keeps a file's first bytes and counts the rest, so that a form can refuse it by its size."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            self.file.write(raw_data)
