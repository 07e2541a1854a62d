"""The unmodified clients of other services with keys: wrong, used up, too fast; on both hosts."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import deepl
import deepl.http_client
import httpx
import pytest
from deep_translator import DeeplTranslator, LibreTranslator
from deep_translator.exceptions import AuthorizationException, ServerException
from libretranslatepy import LibreTranslateAPI

from tests.app_client import REQUEST, SENTENCE
from tests.e2e.test_ray_serve import folder_for_sockets, free_port
from tests.echo_bundle import write_echo_bundle
from tests.server_process import Server, seq2serve

WRONG = "s2s_0123456789ab_" + "x" * 43
BURST = 5


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def good(data_dir: Path) -> str:
    return make_key(data_dir, "good")


@pytest.fixture(scope="module", params=["embedded", pytest.param("ray", marks=[pytest.mark.ray])])
def server(
    data_dir: Path,
    good: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Server]:
    """On Ray with two replicas, which share what they count."""
    bundle = tmp_path_factory.mktemp("bundles") / "forth"
    write_echo_bundle(bundle)
    common = (str(bundle), "--data-dir", str(data_dir))
    if request.param == "embedded":
        with Server(*common) as running:
            yield running
        return
    private = folder_for_sockets()
    env = {"TMPDIR": str(private), "HOME": str(tmp_path_factory.mktemp("home"))}
    with Server(*common, "--ray", "--replicas", "2", port=free_port(), env=env) as running:
        yield running
    shutil.rmtree(private)


@pytest.fixture
def host(request: pytest.FixtureRequest, server: Server) -> str:
    """Names of keys must differ from one host to the next."""
    return "ray" if "ray" in request.node.name else "embedded"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own retries, without the minutes that they would take."""
    monkeypatch.setattr(deepl.http_client, "max_network_retries", 1)
    monkeypatch.setattr(deepl.http_client, "min_connection_timeout", 300.0)


def make_key(data_dir: Path, name: str, *options: str) -> str:
    made = seq2serve("keys", "--data-dir", str(data_dir), "create", name, *options)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def used_up(data_dir: Path, server: Server, name: str) -> str:
    """A key whose quota is just one sentence, which has been translated."""
    key = make_key(data_dir, name, "--characters-per-month", str(len(SENTENCE)))
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{server.url}/v1/translate", json=REQUEST, headers=headers, timeout=300)
    assert answer.status_code == 200
    return key


def deepl_client(server: Server, key: str) -> deepl.DeepLClient:
    return deepl.DeepLClient(key, server_url=f"{server.url}/deepl/")


def test_libretranslatepy(server: Server, data_dir: Path, good: str, host: str) -> None:
    assert LibreTranslateAPI(server.url, good).translate(SENTENCE, "fr", "en") == SENTENCE
    assert libretranslate_error(server, None) == (400, b"needs an API key")
    assert libretranslate_error(server, WRONG) == (403, b"unknown, revoked or expired")
    key = used_up(data_dir, server, f"libretranslate quota {host}")
    assert libretranslate_error(server, key) == (403, b"left until next month")
    key = make_key(data_dir, f"libretranslate burst {host}", "--requests-per-minute", "1")
    LibreTranslateAPI(server.url, key).translate(SENTENCE, "fr", "en")
    assert libretranslate_error(server, key) == (429, b'"Slowdown: at most 1')


def libretranslate_error(server: Server, key: str | None) -> tuple[int, bytes]:
    """Its status, and what of its text tells it from the others."""
    with pytest.raises(HTTPError) as refused:
        LibreTranslateAPI(server.url, key).translate(SENTENCE, "fr", "en")
    text = refused.value.read()
    refused.value.close()
    known = (
        b"needs an API key",
        b"unknown, revoked or expired",
        b"left until next month",
        b'"Slowdown: at most 1',
    )
    return refused.value.code, next(one for one in known if one in text)


def test_deep_translator(server: Server, data_dir: Path, good: str, host: str) -> None:
    def libre(key: str) -> LibreTranslator:
        return LibreTranslator(source="fr", target="en", api_key=key, custom_url=f"{server.url}/")

    assert libre(good).translate(SENTENCE) == SENTENCE
    for key in (WRONG, used_up(data_dir, server, f"deep quota {host}")):
        with pytest.raises(AuthorizationException):
            libre(key).translate(SENTENCE)

    def as_deepl(key: str) -> DeeplTranslator:
        translator = DeeplTranslator(source="fr", target="en", api_key=key)
        translator._base_url = f"{server.url}/v2/"  # it offers no other way to another host
        return translator

    assert as_deepl(good).translate(SENTENCE) == SENTENCE
    with pytest.raises(AuthorizationException):
        as_deepl(WRONG).translate(SENTENCE)
    with pytest.raises(ServerException):
        as_deepl(used_up(data_dir, server, f"deep deepl quota {host}")).translate(SENTENCE)


def test_deepl(server: Server, data_dir: Path, good: str, host: str) -> None:
    client = deepl_client(server, good)
    found = client.translate_text(SENTENCE, source_lang="FR", target_lang="EN-GB")
    assert isinstance(found, deepl.TextResult)
    assert found.text == SENTENCE
    assert (client.get_usage().character.count or 0) >= len(SENTENCE)
    with pytest.raises(deepl.AuthorizationException):
        deepl_client(server, WRONG).get_usage()
    with pytest.raises(deepl.AuthorizationException):
        deepl_client(server, WRONG).translate_text(SENTENCE, target_lang="EN-GB")
    full = deepl_client(server, used_up(data_dir, server, f"deepl quota {host}"))
    with pytest.raises(deepl.QuotaExceededException):
        full.translate_text(SENTENCE, target_lang="EN-GB")
    usage = full.get_usage()
    assert (usage.character.count, usage.character.limit) == (len(SENTENCE), len(SENTENCE))
    assert usage.any_limit_reached


def test_deepl_gives_up_on_a_burst_only_after_retries(
    server: Server, data_dir: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepl.http_client, "max_network_retries", 2)
    if time.time() % 60 > 40:  # a new minute, in which it would be let in, must not begin meanwhile
        time.sleep(60 - time.time() % 60)
    key = make_key(data_dir, f"deepl burst {host}", "--requests-per-minute", "1")
    client = deepl_client(server, key)
    client.get_usage()
    with pytest.raises(deepl.TooManyRequestsException):
        client.translate_text(SENTENCE, target_lang="EN-GB")


def test_a_burst_lets_exactly_as_many_in_as_may(server: Server, data_dir: Path, host: str) -> None:
    """Also where two replicas answer: the window is one."""
    key = make_key(data_dir, f"burst {host}", "--requests-per-minute", str(BURST))
    headers = {"Authorization": f"Bearer {key}"}

    def ask(_: int) -> httpx.Response:
        url = f"{server.url}/v1/translate"
        return httpx.post(url, json=REQUEST, headers=headers, timeout=300)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(4 * BURST)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) in (BURST, BURST + 1)  # one more where the window slid meanwhile
    assert set(statuses) == {200, 429}
    for answer in answers:
        assert '"requests";q=5;w=60' in answer.headers["ratelimit-policy"]
        assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1


def test_a_key_is_revoked_while_the_server_runs(server: Server, data_dir: Path, host: str) -> None:
    key = make_key(data_dir, f"revoked {host}")
    client = LibreTranslateAPI(server.url, key)
    assert client.translate(SENTENCE, "fr", "en") == SENTENCE
    seq2serve("keys", "--data-dir", str(data_dir), "revoke", f"revoked {host}")
    for _ in range(4):  # by every replica
        assert libretranslate_error(server, key)[0] == 403


def test_no_key_text_or_address_is_logged(server: Server, good: str) -> None:
    client = deepl_client(server, good)
    client.translate_text(SENTENCE, target_lang="EN-GB")
    for key in (good, WRONG):
        httpx.get(f"{server.url}/v2/translate", params={"auth_key": key, "text": SENTENCE})
    log = server.log() + server.get("/metrics").text
    for private in (good, good.split("_", 2)[2], WRONG, "x" * 43, "Jane", "127.0.0.1"):
        assert private not in log
