"""What the OpenAPI document says of API keys."""

from typing import Any, Final

from serving.routes.gate import OPEN
from serving.schemas import problem_responses
from serving.settings import KeySettings

SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
NATIVE = "/v1/"


def describe_keys(document: dict[str, Any], keys: KeySettings) -> None:
    """Name the schemes, and with every operation that asks for a key which of them it takes.

    Nothing is said where keys are off. A dialect takes keys where its clients put them, too.
    """
    if keys.mode == "off":
        return
    document["components"]["securitySchemes"] = SCHEMES
    accepted: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    if keys.mode != "required":
        accepted.insert(0, {})  # it may be asked for later, or is good for more
    for path, operations in document["paths"].items():
        for operation in operations.values() if path not in OPEN else ():
            operation["security"] = accepted
            if path.startswith(NATIVE):
                operation["responses"] |= _refusals()


def _refusals() -> dict[str, Any]:
    return {str(status): said for status, said in problem_responses(401, 403, 429).items()}
