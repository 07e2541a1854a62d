"""The OPUS pages' interface."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.app_client import AppClient, open_app, problem_of

FRENCH = "Jane visite l'Afrique en septembre avec toute la famille."
REQUEST = {"source": FRENCH, "from": "fr", "to": "en"}
SECRET = "Geheimnis"


@pytest.fixture(scope="module")
def client() -> Iterator[AppClient]:
    with open_app(dialects=["opus"]) as opened:
        yield opened


@pytest.mark.parametrize("changes", [{}, {"from": "auto"}, {"from": "FR", "to": "en-US"}])
@pytest.mark.parametrize("style", ["json", "data", "params"])
def test_a_text_is_translated(client: AppClient, style: str, changes: dict[str, str]) -> None:
    sent = client.post("/api/translate", **{style: REQUEST | changes})
    assert sent.json() == {"translation": FRENCH}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": ""}, "source: "),
        ({"source": [SECRET]}, "source: "),
        ({"source": f"{SECRET}\0"}, "control character"),
        ({"from": None}, "from: "),
        ({"from": SECRET}, "from: not supported; the languages are fr, en"),
        ({"to": SECRET}, "to: not supported"),
        ({"to": "fr", "from": "en"}, "no model of this language pair"),
    ],
)
def test_bad_parameters(client: AppClient, changes: dict[str, Any], message: str) -> None:
    refused = client.post("/api/translate", json=REQUEST | changes)
    assert refused.status_code == 400
    assert refused.json().keys() == {"error"}
    assert message in refused.json()["error"]
    assert SECRET not in refused.text


def test_it_is_off_unless_asked_for() -> None:
    with open_app() as client:
        problem_of(client.post("/api/translate", json=REQUEST), 404)
