"""Keys at the door: what each interface answers with, and what is counted for whom."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.settings import Allowance
from serving.stores.api_keys import ApiKeys, Scope
from tests.app_client import REQUEST, SENTENCE, AppClient, open_app, problem_of

ALL = ("libretranslate", "deepl", "google", "opus")
WRONG = "s2s_0123456789ab_" + "x" * 43
GOOGLE = "/language/translate/v2"

Ask = Callable[[AppClient, str | None], httpx.Response]


@pytest.fixture(scope="module")
def client(data_dir: Path, keys: ApiKeys) -> Iterator[AppClient]:
    """Where keys are required, since there is one."""
    keys.create("first")
    with open_app(data_dir=str(data_dir), dialects=ALL) as opened:
        yield opened


@pytest.fixture
def key(keys: ApiKeys, request: pytest.FixtureRequest) -> str:
    """A new one."""
    return keys.create(request.node.name)


def native(client: AppClient, key: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return client.post(json=REQUEST, headers=headers)


def libretranslate(client: AppClient, key: str | None) -> httpx.Response:
    body = {"q": SENTENCE, "source": "fr", "target": "en"}
    return client.post("/translate", json=body | ({"api_key": key} if key else {}))


def deepl(client: AppClient, key: str | None) -> httpx.Response:
    headers = {"Authorization": f"DeepL-Auth-Key {key}"} if key else {}
    body = {"text": [SENTENCE], "source_lang": "FR", "target_lang": "EN"}
    return client.post("/v2/translate", json=body, headers=headers)


def google(client: AppClient, key: str | None) -> httpx.Response:
    body = {"q": SENTENCE, "source": "fr", "target": "en", "format": "text"}
    return client.post(GOOGLE, json=body, params={"key": key} if key else {})


def opus(client: AppClient, key: str | None) -> httpx.Response:
    body = {"source": SENTENCE, "from": "fr", "to": "en"}
    return client.post("/api/translate", json=body, headers={"X-API-Key": key} if key else {})


INTERFACES = [native, libretranslate, deepl, google, opus]


def test_until_there_is_a_key_any_is_accepted(tmp_path: Path) -> None:
    with open_app(data_dir=str(tmp_path), dialects=ALL) as client:
        assert _told(client) == (False, False)
        for ask in INTERFACES:
            for key in (None, "any key", WRONG):
                assert ask(client, key).status_code == 200
        keys = ApiKeys(tmp_path)
        keys.create("first")
        keys.close()
        for ask in INTERFACES:
            assert ask(client, None).status_code != 200
        assert _told(client) == (True, True)


def test_without_a_folder_any_key_is_accepted() -> None:
    with open_app(dialects=ALL) as client:
        for ask in INTERFACES:
            assert ask(client, None).status_code == ask(client, WRONG).status_code == 200
        assert _told(client) == (False, False)


def _told(client: AppClient) -> tuple[bool, bool]:
    found = client.get("/frontend/settings").json()
    return found["apiKeys"], found["keyRequired"]


@pytest.mark.parametrize("ask", INTERFACES)
def test_a_good_key_is_accepted_until_it_is_revoked(
    client: AppClient, keys: ApiKeys, ask: Ask
) -> None:
    key = keys.create(f"good {ask.__name__}")
    assert ask(client, key).status_code == 200
    keys.revoke(f"good {ask.__name__}")
    assert ask(client, key).status_code in (400, 401, 403)


@pytest.mark.parametrize(
    ("ask", "missing", "wrong", "closed", "quota", "burst"),
    [
        (native, 401, 401, 403, 429, 429),
        (libretranslate, 400, 403, 403, 403, 429),
        (deepl, 403, 403, 403, 456, 429),
        (google, 403, 400, 403, 403, 429),
        (opus, 401, 401, 403, 429, 429),
    ],
)
def test_each_interface_refuses_as_its_clients_expect(
    client: AppClient,
    keys: ApiKeys,
    ask: Ask,
    missing: int,
    wrong: int,
    closed: int,
    quota: int,
    burst: int,
) -> None:
    glossaries: list[Scope] = ["glossaries"]
    other = keys.create(f"other {ask.__name__}", glossaries)
    used_up = keys.create(
        f"used up {ask.__name__}", allowance=Allowance(characters_per_month=len(SENTENCE))
    )
    assert ask(client, used_up).status_code == 200
    quick = keys.create(f"quick {ask.__name__}", allowance=Allowance(requests_per_minute=1))
    assert ask(client, quick).status_code == 200
    answers = [ask(client, key) for key in (None, WRONG, other, used_up, quick)]
    assert [one.status_code for one in answers] == [missing, wrong, closed, quota, burst]
    for one in answers:
        assert "s2s_" not in one.text
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_bodies_of_refusals(client: AppClient, keys: ApiKeys) -> None:
    body = problem_of(native(client, None), 401)
    assert body["type"] == "urn:seq2serve:problem:key-required"
    assert native(client, None).headers["www-authenticate"] == "Bearer"
    assert problem_of(native(client, WRONG), 401)["type"].endswith("key-refused")
    assert libretranslate(client, WRONG).json() == {
        "error": "the key is unknown, revoked or expired"
    }
    assert deepl(client, None).json()["message"].startswith("this server needs an API key")
    assert google(client, WRONG).json()["error"]["errors"][0]["reason"] == "keyInvalid"
    quick = keys.create("quick", allowance=Allowance(requests_per_minute=1))
    libretranslate(client, quick)
    assert libretranslate(client, quick).json()["error"].startswith("Slowdown: at most 1 requests")


def test_what_is_refused_by_the_key_is_refused_before_the_body(client: AppClient) -> None:
    assert client.post(json={"text": 3}).status_code == 401


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/translate", {"data": {"q": SENTENCE, "source": "fr", "target": "en"}}),
        ("/translate", {"params": {"q": SENTENCE, "source": "fr", "target": "en"}}),
        (
            "/translate_file",
            {
                "data": {"source": "fr", "target": "en"},
                "files": {"file": ("letter.txt", SENTENCE.encode())},
            },
        ),
    ],
)
def test_libretranslate_keys_in_forms_and_queries(
    client: AppClient, key: str, path: str, options: dict[str, Any]
) -> None:
    assert client.post(path, **options).status_code == 400
    where = "params" if "params" in options else "data"
    given = options | {where: options[where] | {"api_key": key}}
    assert client.post(path, **given).status_code == 200


def test_deepl_keys_in_parameters(client: AppClient, key: str) -> None:
    asked = {"text": SENTENCE, "source_lang": "FR", "target_lang": "EN", "auth_key": key}
    assert client.post("/v2/translate", data=asked).status_code == 200
    assert client.get("/deepl/v2/translate", params=asked).status_code == 200
    assert client.get("/v2/languages").status_code == 403


def test_what_needs_no_key(client: AppClient) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/health", "/languages", "/frontend/settings"):
        assert client.get(path).status_code == 200, path
    for path in ("/openapi.json", "/docs", "/spec"):
        assert client.get(path).status_code == 200, path
    for path in ("/v1/models", "/v2/usage", "/v2/languages", f"{GOOGLE}/languages"):
        assert client.get(path).status_code in (401, 403), path


def test_optional_keys(data_dir: Path, key: str) -> None:
    mode = {"mode": "optional", "anonymous": {"requests_per_minute": 1}}
    with open_app(data_dir=str(data_dir), dialects=ALL, keys=mode) as client:
        assert _told(client) == (True, False)
        assert libretranslate(client, WRONG).status_code == 403
        assert libretranslate(client, None).status_code == 200
        assert libretranslate(client, None).status_code == 429
        assert libretranslate(client, key).status_code == 200


def test_keys_only_before_there_is_a_key(tmp_path: Path) -> None:
    with open_app(data_dir=str(tmp_path), keys={"mode": "required"}) as client:
        assert client.translate().status_code == 401


def test_keys_switched_off(data_dir: Path, key: str) -> None:
    with open_app(data_dir=str(data_dir), keys={"mode": "off"}) as client:
        assert client.translate().status_code == 200
        assert client.get("/v2/usage").json()["character_count"] >= len(SENTENCE)


def test_usage_is_of_a_key_and_of_all_replicas(
    data_dir: Path, client: AppClient, keys: ApiKeys
) -> None:
    first = keys.create("limited", allowance=Allowance(characters_per_month=1000))
    second = keys.create("unlimited")

    def usage(at: AppClient, key: str) -> tuple[int, int]:
        headers = {"Authorization": f"DeepL-Auth-Key {key}"}
        found = at.get("/v2/usage", headers=headers).json()
        return found["character_count"], found["character_limit"]

    deepl(client, first)
    with open_app(data_dir=str(data_dir)) as replica:
        deepl(replica, first)
        assert usage(replica, first) == usage(client, first) == (2 * len(SENTENCE), 1000)
    assert usage(client, second) == (0, 10**12)


def test_what_is_not_translated_is_not_charged(client: AppClient, keys: ApiKeys) -> None:
    key = keys.create("uncharged", allowance=Allowance(characters_per_month=1000))
    headers = {"Authorization": f"Bearer {key}"}
    assert client.post(json=REQUEST | {"text": "日本"}, headers=headers).status_code == 422
    assert client.post(json=REQUEST | {"beam_size": 60}, headers=headers).status_code == 422
    assert client.get("/v2/usage", headers=headers).json()["character_count"] == 0


def test_headers_tell_what_is_left(client: AppClient, keys: ApiKeys) -> None:
    key = keys.create("told", allowance=Allowance(requests_per_minute=2, characters_per_month=100))
    left = 100 - len(SENTENCE)
    answer = native(client, key)
    assert answer.headers["ratelimit-policy"] == '"requests";q=2;w=60, "month";q=100'
    requests, month = answer.headers["ratelimit"].split(", ")
    assert requests.startswith('"requests";r=1;t=')
    assert month.startswith(f'"month";r={left};t=')
    native(client, key)
    refused = native(client, key)
    assert refused.status_code == 429
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert "ratelimit" not in native(client, keys.create("free")).headers


def test_a_document_is_charged_to_its_sender(client: AppClient, keys: ApiKeys) -> None:
    headers = {"Authorization": f"DeepL-Auth-Key {keys.create('sender')}"}
    options = {"data": {"target_lang": "EN", "source_lang": "FR"}}
    file = {"file": ("letter.txt", SENTENCE.encode())}
    sent = client.post("/v2/document", files=file, headers=headers, **options).json()
    asked = {"document_key": sent["document_key"]}
    path = f"/v2/document/{sent['document_id']}"
    while client.post(path, json=asked, headers=headers).json()["status"] != "done":
        pass
    assert client.get("/v2/usage", headers=headers).json()["character_count"] == len(SENTENCE)
    closed = {"Authorization": f"DeepL-Auth-Key {keys.create('no sender', ['translate'])}"}
    assert client.post("/v2/document", files=file, headers=closed, **options).status_code == 403


def test_where_keys_cannot_be_read_nobody_is_let_in(tmp_path: Path) -> None:
    with open_app(data_dir=str(tmp_path), keys={"mode": "required"}) as client:
        connection = sqlite3.connect(tmp_path / "keys.sqlite")
        connection.execute("DROP TABLE api_key")
        connection.close()
        assert native(client, WRONG).status_code == 503


def test_nothing_of_it_is_logged(
    client: AppClient, keys: ApiKeys, capfd: pytest.CaptureFixture[str]
) -> None:
    key = keys.create("Mastodon", allowance=Allowance(requests_per_minute=4))
    capfd.readouterr()
    for ask in INTERFACES:
        for one in (None, WRONG, key):
            ask(client, one)
    log = "".join(capfd.readouterr()) + client.get("/metrics").text
    assert "/v1/translate" in log
    secret, key_id = key.split("_", 2)[2], key.split("_")[1]
    for private in (secret, key_id, "x" * 43, "Mastodon", SENTENCE, "Jane", "127.0.0.1"):
        assert private not in log
