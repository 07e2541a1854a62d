"""The line a server prints when it is ready: where it is and what to type next."""

import json
import shlex
from collections.abc import Sequence

from mt.bundle import Manifest

EXAMPLES = {
    "cs": "Muž hraje na kytaru.",
    "de": "Ein Mann spielt Gitarre.",
    "en": "A man is playing a guitar.",
    "fr": "Jane visite la France en septembre.",
}


def announcement(manifests: Sequence[Manifest], url: str) -> str:
    """One line: address, models, and a command that translates with the first of them."""
    first = manifests[0]
    body = {
        "text": EXAMPLES.get(first.source_language, "Hello."),
        "source": first.source_language,
        "target": first.target_language,
    }
    names = ", ".join(manifest.name for manifest in manifests)
    data = shlex.quote(json.dumps(body, ensure_ascii=False))
    curl = f"curl -s {url}/v1/translate -H 'Content-Type: application/json' -d {data}"
    return f"Serving {names} at {url}; try: {curl}"


def address(host: str, port: int) -> str:
    """The URL of a listening address, IPv6 in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
