"""The only place that writes a prediction down as a call of the API, in three languages."""

from pprint import pformat
from typing import Any

import msgspec

SECONDS = 10
# The variable of the reader's own environment that holds the token.
VARIABLE = "TOKEN"


def snippets(*, url: str, body: dict[str, Any]) -> dict[str, str]:
    """Return the same call for curl, Python and JavaScript; the token is read, not written."""
    document = msgspec.json.format(msgspec.json.encode(body), indent=2).decode()
    return {
        "curl": curl(url, document),
        "Python": python(url, body),
        "JavaScript": javascript(url, document),
    }


def curl(url: str, document: str) -> str:
    # A quotation mark ends what the shell takes as it stands, so it is put in from outside.
    quoted = document.replace("'", "'\\''")
    return (
        f"curl -X POST {url} \\\n"
        f'  -H "Authorization: Bearer ${VARIABLE}" \\\n'
        f'  -H "Content-Type: application/json" -H "Prefer: wait={SECONDS}" \\\n'
        f"  -d '{quoted}'"
    )


def python(url: str, body: dict[str, Any]) -> str:
    return (
        "import json, os, urllib.request\n\n"
        f"body = {pformat(body, sort_dicts=False)}\n"
        f'request = urllib.request.Request("{url}", json.dumps(body).encode(), {{\n'
        f'    "Authorization": "Bearer " + os.environ["{VARIABLE}"],\n'
        f'    "Content-Type": "application/json", "Prefer": "wait={SECONDS}",\n'
        "})\n"
        "print(json.load(urllib.request.urlopen(request)))"
    )


def javascript(url: str, document: str) -> str:
    return (
        f'const answer = await fetch("{url}", {{\n'
        '  method: "POST",\n'
        "  headers: {\n"
        f"    Authorization: `Bearer ${{process.env.{VARIABLE}}}`,\n"
        f'    "Content-Type": "application/json", Prefer: "wait={SECONDS}",\n'
        "  },\n"
        f"  body: JSON.stringify({document}),\n"
        "});\n"
        "console.log(await answer.json());"
    )
