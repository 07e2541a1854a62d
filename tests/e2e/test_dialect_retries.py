"""A client that is told to wait, or loses patience, sends again and gets its answer."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import deepl
import httpx
import pytest

from serving.settings import EngineSettings
from tests.app_client import REQUEST, SENTENCE, echo
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper
from tests.loopback import on_loopback

PATIENCE_S = 60.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as running:
        yield running


def ask(pool: ThreadPoolExecutor, url: str) -> "Future[str]":
    def translate() -> str:
        client = deepl.DeepLClient("any key", server_url=url)
        found = client.translate_text(SENTENCE, source_lang="FR", target_lang="EN-GB")
        client.close()  # type: ignore[no-untyped-call]
        assert isinstance(found, deepl.TextResult)
        return found.text

    return pool.submit(translate)


def wait_for(url: str, line: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while line not in httpx.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_burst_is_told_to_wait_and_comes_back(pool: ThreadPoolExecutor) -> None:
    stepper = GatedStepper(fake_bundle().manifest.vocab_size)
    engine = EngineSettings(max_rows=5, max_waiting=1)  # one runs, one waits
    with on_loopback(echo(fake_bundle(), stepper=stepper, engine=engine)) as url:
        early = [pool.submit(httpx.post, f"{url}/v1/translate", json=REQUEST, timeout=60)]
        stepper.wait_until_asked()
        early.append(pool.submit(httpx.post, f"{url}/v1/translate", json=REQUEST, timeout=60))
        wait_for(url, 'mt_engine_waiting{model="fake"} 1.0')
        late = ask(pool, url)
        wait_for(url, 'route="/v2/translate",status="429"')
        stepper.open()
        assert late.result(PATIENCE_S) == SENTENCE
        assert [one.result(PATIENCE_S).status_code for one in early] == [200, 200]


def test_work_for_a_client_that_lost_patience_is_dropped(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepl.http_client, "min_connection_timeout", 0.3)  # a setting of theirs
    stepper = GatedStepper(fake_bundle().manifest.vocab_size)
    translator = echo(fake_bundle(), stepper=stepper)
    with on_loopback(translator) as url:
        asked = ask(pool, url)
        wait_for(url, 'route="/v2/translate",status="499"')
        stepper.open()
        assert asked.result(PATIENCE_S) == SENTENCE
        assert translator.engine.stats().cancelled >= 1
        assert 'route="/v2/translate",status="200"} 1.0' in httpx.get(f"{url}/metrics").text
