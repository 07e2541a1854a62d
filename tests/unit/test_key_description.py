"""The OpenAPI document says which key an operation takes, and whether it must have one."""

from typing import Any

import pytest

from serving.app import create_app
from serving.models import Models
from serving.routes.gate import OPEN
from tests.app_client import settings_with

ACCEPTED: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}]


def document(tmp_path: object, mode: str) -> dict[str, Any]:
    settings = settings_with(data_dir=str(tmp_path), keys={"mode": mode})
    return create_app(lambda: Models([]), settings).openapi()


def operations(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {path: list(one.values()) for path, one in document["paths"].items()}


@pytest.mark.parametrize(
    ("mode", "accepted"),
    [("auto", [{}, *ACCEPTED]), ("optional", [{}, *ACCEPTED]), ("required", ACCEPTED)],
)
def test_every_operation_behind_the_gate_names_its_keys(
    tmp_path: object, mode: str, accepted: object
) -> None:
    found = document(tmp_path, mode)
    assert found["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    for path, told in operations(found).items():
        assert all(one.get("security") == (None if path in OPEN else accepted) for one in told)
    (translate,) = operations(found)["/v1/translate"]
    assert {"401", "403", "429"} <= translate["responses"].keys()
    assert "401" not in operations(found)["/readyz"][0]["responses"]


def test_without_keys_there_is_nothing_to_say(tmp_path: object) -> None:
    found = document(tmp_path, "off")
    assert "securitySchemes" not in found["components"]
    assert not any("security" in one for told in operations(found).values() for one in told)
