"""What the OpenAPI document promises holds for what fits it and what does not: never a 5xx.

Some 200 cases as a rule; `SEQ2SERVE_CASES=2000 pytest tests/property/test_schemathesis.py` tries
more of what fits. Every operation of every dialect gets as many.
"""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS as ALL_CHECKS
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from serving.app import create_app
from serving.models import Models
from tests.app_client import AppClient, echo, settings_with
from tests.fake_bundle import fake_bundle

Operation = APIOperation[Any, Any, Any, Any]
CASES = int(os.environ.get("SEQ2SERVE_CASES", "200"))
SETTINGS = {"dialects": ["libretranslate", "deepl", "google", "opus"]}
SHORT = {"maxItems": 3, "maxLength": 20, "maxProperties": 3}


def shortened(part: Any) -> Any:
    """A document whose lists and strings are short: to make long ones takes seconds a case."""
    if isinstance(part, list):
        return [shortened(one) for one in part]
    if not isinstance(part, dict):
        return part
    limits = {name: most for name, most in SHORT.items() if name in part}
    return {name: shortened(one) for name, one in part.items()} | limits


@cache
def operations() -> dict[str, Operation]:
    app = create_app(lambda: Models([]), settings_with(**SETTINGS))
    schema = schemathesis.openapi.from_dict(shortened(app.openapi()))
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    return {one.label: one for one in found}


load_all_checks()
NAMES = ("response_schema_conformance", "content_type_conformance", "status_code_conformance")
CHECKS: list[Any] = ALL_CHECKS.get_by_names(NAMES)
PARTS = ("method", "url", "headers", "files", "data", "json", "params", "cookies")
EACH = -(-CASES // len(operations()))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    german = fake_bundle(name="german", source_language="de")
    models = Models([echo(fake_bundle()), echo(german)])
    kept = {"data_dir": str(tmp_path_factory.mktemp("data")), "memory": {"suggestions": True}}
    with AppClient(create_app(lambda: models, settings_with(**SETTINGS, **kept))) as opened:
        yield opened


def send(client: AppClient, case: Case) -> httpx.Response:
    """Send a case as `requests` would write it."""
    given = case.as_transport_kwargs(base_url="http://server")
    parts = {name: given[name] for name in PARTS if name in given}
    one: Any = requests.Request(**parts).prepare()
    body = one.body.encode() if isinstance(one.body, str) else one.body
    return client.runner.run(
        client.http.request(one.method, one.url, content=body, headers=dict(one.headers))
    )


def breakable() -> list[str]:
    """Operations that can be sent something wrong: those with a body."""
    return [label for label, one in operations().items() if len(one.body)]


@pytest.mark.parametrize("label", operations())
def test_it_is_answered_as_promised(client: AppClient, label: str) -> None:
    check(client, label, GenerationMode.POSITIVE)


@pytest.mark.parametrize("label", breakable())
def test_what_does_not_fit_is_answered_as_promised(client: AppClient, label: str) -> None:
    check(client, label, GenerationMode.NEGATIVE)


def check(client: AppClient, label: str, mode: GenerationMode) -> None:
    @settings(
        max_examples=EACH,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operations()[label].as_strategy(generation_mode=mode))
    def one(case: Case) -> None:
        response = send(client, case)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=CHECKS)

    one()
