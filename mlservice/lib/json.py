"""The only place that reads a JSON body: size, depth and numbers are checked first."""

from itertools import chain
from typing import Any

import msgspec
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_BODY_BYTES = 1_048_576
MAX_NESTING = 20
# As msgspec makes them.
CONTAINERS = frozenset({dict, list})


class PayloadTooLarge(APIException):
    status_code = 413
    default_detail = "A request body is at most 1 MB."


def decode(raw: bytes) -> Any:
    """Decode JSON text (UTF-8); a key that stands twice keeps its last value.

    Raise ParseError for text that is not JSON, NaN and Infinity included, or is nested
    deeper than 20 levels.
    """
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParseError(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise ParseError(f"JSON is nested at most {MAX_NESTING} deep.") from error
    if nesting_exceeds(value, MAX_NESTING):
        raise ParseError(f"JSON is nested at most {MAX_NESTING} deep.")
    return value


def nesting_exceeds(value: Any, limit: int) -> bool:
    """Walk level by level, so that depth costs no recursion.

    A thousand rows hold many values and no container among them: their types are asked for all
    at once.
    """
    level = [value]
    for _ in range(limit + 1):
        dicts = (outer for outer in level if type(outer) is dict)
        lists = (outer for outer in level if type(outer) is list)
        inner = [*chain.from_iterable(map(dict.values, dicts)), *chain.from_iterable(lists)]
        if CONTAINERS.isdisjoint(map(type, inner)):
            return False
        level = [one for one in inner if type(one) in CONTAINERS]
    return True


class JSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        return decode(raw)
