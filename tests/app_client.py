"""The application without a socket: real routes, translators and engines over fake models."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
from fastapi import FastAPI

from mt.bundle import Bundle
from mt.stepper import Stepper
from serving.app import create_app
from serving.engine import Engine
from serving.models import Models
from serving.running.cores import LocalCore
from serving.settings import OFFLINE, EngineSettings, Limits, ServeSettings
from serving.text.glossary_terms import has_spaces
from serving.translator import Translator
from tests.fake_bundle import fake_bundle
from tests.fakes import EchoStepper

SENTENCE = "Jane visite l'Afrique en septembre."
REQUEST = {"text": SENTENCE, "source": "fr", "target": "en"}


def settings_with(**values: Any) -> ServeSettings:
    """Settings whose one bundle is never opened."""
    return ServeSettings.model_validate({"bundles": [{"path": "nowhere"}]} | values)


def over(
    bundle: Bundle,
    stepper: Stepper,
    engine: EngineSettings | None = None,
    limits: Limits = OFFLINE,
    cache_bytes: int = 0,
) -> Translator:
    """A translator whose model is this stepper."""
    spaced = has_spaces(bundle.manifest.target_language)
    continuing = np.array(bundle.tokenizer.continuing()) if spaced else None
    core = LocalCore(stepper, bundle.manifest.max_target_tokens, continuing)
    running = Engine([core], engine or EngineSettings(), bundle.manifest.name)
    return Translator(bundle, running, limits, cache_bytes)


def echo(
    bundle: Bundle,
    limits: Limits | None = None,
    stepper: Stepper | None = None,
    engine: EngineSettings | None = None,
) -> Translator:
    """A translator that says every text back, unless the stepper does otherwise."""
    stepper = stepper or EchoStepper(bundle.manifest.vocab_size)
    return over(bundle, stepper, engine, limits or Limits())


class AppClient:
    """An HTTP client of an application in this process; `app` lives as long as the block."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.runner = asyncio.Runner()
        self._lifespan = app.router.lifespan_context(app)
        transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://server")

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.runner.run(self.http.get(path, **options))

    def post(self, path: str = "/v1/translate", **options: Any) -> httpx.Response:
        return self.runner.run(self.http.post(path, **options))

    def translate(self, **changes: Any) -> httpx.Response:
        """Ask for the example sentence, with these fields changed."""
        return self.post(json=REQUEST | changes)

    def __enter__(self) -> Self:
        self.runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runner.run(self.http.aclose())
        self.runner.run(self._lifespan.__aexit__(None, None, None))
        self.runner.close()


@contextmanager
def open_app(*translators: Translator, **settings: Any) -> Iterator[AppClient]:
    """An application over these translators, or over one that echoes French as English."""
    chosen = settings_with(**settings)
    opened = translators or (echo(fake_bundle(), chosen.limits),)
    with AppClient(create_app(lambda: Models(opened), chosen)) as client:
        yield client


def problem_of(response: httpx.Response, status: int) -> Mapping[str, Any]:
    """The body of a proper problem response, after checking everything that all of them share."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= 2048
    body: Mapping[str, Any] = response.json()
    assert body.keys() - {"errors"} == {
        "type", "title", "status", "detail", "instance", "request_id",
    }  # fmt: skip
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    return body
