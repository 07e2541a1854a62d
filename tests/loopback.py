"""The application on a loopback socket of this process, so that a test can hold its models."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from serving.app import create_app
from serving.embedded import bind
from serving.http_protocol import patience
from serving.models import Models
from serving.translator import Translator
from tests.app_client import settings_with


@contextmanager
def on_loopback(*translators: Translator, **settings: Any) -> Iterator[str]:
    """Its address."""
    chosen = settings_with(**settings)
    app = create_app(lambda: Models(translators), chosen)
    protocol = patience(chosen.limits.head_timeout_s)
    config = uvicorn.Config(app, http=protocol, log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    with bind("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
