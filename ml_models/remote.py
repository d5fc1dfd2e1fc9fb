"""The only place that speaks to the remote: S3, or anything that speaks it.

Run as a program it is the process that fetches one object, and writes it to its output:
`python -m ml_models.remote BUCKET ENDPOINT KEY MOST_BYTES SECONDS`. It knows nothing of Django.
"""

import signal
import sys
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError

FAILURES = (BotoCoreError, ClientError)

# The remote's words for one missing object; a missing bucket is a wrong setting instead.
NO_SUCH_OBJECT = {"NoSuchKey", "404"}
# How the process ends that was asked for one.
MISSING = 3

# What is dead is given up early; what is slow has the time that the caller gives.
PATIENCE = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


def client(endpoint: str | None) -> Any:
    return boto3.client("s3", endpoint_url=endpoint or None, config=PATIENCE)


def put(content: bytes, *, bucket: str, endpoint: str | None, key: str) -> None:
    """Store one object; raise one of FAILURES if the remote does not take it."""
    client(endpoint).put_object(Bucket=bucket, Key=key, Body=content)


def get(*, bucket: str, endpoint: str | None, key: str, most_bytes: int) -> bytes:
    """Return the beginning of one object; raise one of FAILURES if the remote does not give it."""
    answer = client(endpoint).get_object(Bucket=bucket, Key=key)
    content: bytes = answer["Body"].read(most_bytes)
    # A connection that was cut looks like the end, and half an object like a spoilt one.
    due = min(most_bytes, answer.get("ContentLength", 0))
    if len(content) < due:
        raise IncompleteReadError(actual_bytes=len(content), expected_bytes=due)
    return content


def main() -> int:
    bucket, endpoint, key, most_bytes, seconds = sys.argv[1:]
    # Whoever asked ends this process in time; this is for when he was killed meanwhile.
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    try:
        content = get(bucket=bucket, endpoint=endpoint, key=key, most_bytes=int(most_bytes))
    except ClientError as refusal:
        if refusal.response.get("Error", {}).get("Code") in NO_SUCH_OBJECT:
            return MISSING
        raise
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
