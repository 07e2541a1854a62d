"""The memory over HTTP: whose it is, when it stands in for the model, and how it is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mt.errors import ConfigError, InputError
from serving.commands.memory_cli import memory as command
from serving.stores.api_keys import ApiKeys
from serving.stores.memory_store import MemoryStore
from tests.app_client import REQUEST, SENTENCE, AppClient, open_app, problem_of

PEOPLES = "Jane goes to Africa in September."
TMX = """<tmx version="1.4"><header srclang="fr"/><body>
<tu><tuv xml:lang="fr"><seg>{text}</seg></tuv><tuv xml:lang="en"><seg>{translation}</seg></tuv></tu>
<tu><tuv xml:lang="fr"><seg>x</seg></tuv><tuv xml:lang="en and more"><seg>x</seg></tuv></tu>
</body></tmx>"""


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Iterator[AppClient]:
    mode = {"mode": "optional"}
    with open_app(data_dir=str(data_dir), keys=mode, memory={"suggestions": True}) as opened:
        yield opened


@pytest.fixture
def me(keys: ApiKeys, request: pytest.FixtureRequest) -> dict[str, str]:
    """The header of a new key."""
    return {"Authorization": f"Bearer {keys.create(request.node.name)}"}


@pytest.fixture
def admin(keys: ApiKeys, request: pytest.FixtureRequest) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.create(f'admin {request.node.name}', ['admin'])}"}


def new(text: str, translation: str, **changes: object) -> dict[str, object]:
    entries = [{"text": text, "translation": translation}]
    return {"source": "fr", "target": "en", "entries": entries} | changes


def translated(client: AppClient, headers: dict[str, str], **changes: object) -> dict[str, object]:
    answer = client.post(json=REQUEST | changes, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()["translations"][0]
    return found


def run(data_dir: Path, *arguments: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(command, ["--data-dir", str(data_dir), *arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_an_exact_text_is_answered_from_the_memory_and_says_so(
    client: AppClient, me: dict[str, str]
) -> None:
    assert translated(client, me) == {"text": SENTENCE}
    added = client.post("/v1/memory", json=new(SENTENCE, PEOPLES), headers=me)
    assert (added.status_code, added.json()) == (201, {"added": 1})
    assert translated(client, me) == {"text": PEOPLES, "memory": True}
    assert translated(client, {}) == {"text": SENTENCE}
    both = client.post(json=REQUEST | {"text": [f" {SENTENCE}\n", "Jane?"]}, headers=me).json()
    assert both["translations"] == [{"text": f" {PEOPLES}\n", "memory": True}, {"text": "Jane?"}]
    assert "mt_memory_hits_total 2.0" in client.get("/metrics").text


def test_who_asks_for_the_model_gets_the_model(client: AppClient, me: dict[str, str]) -> None:
    client.post("/v1/memory", json=new(SENTENCE, PEOPLES), headers=me)
    assert translated(client, me, model="fake") == {"text": SENTENCE}
    assert translated(client, me, beam_size=2) == {"text": SENTENCE}
    assert "memory" not in translated(client, me, n_best=2)
    assert "memory" not in translated(client, me, return_alignments=True)


def test_markup_is_only_answered_where_there_is_none(client: AppClient, me: dict[str, str]) -> None:
    client.post("/v1/memory", json=new(SENTENCE, PEOPLES), headers=me)
    client.post("/v1/memory", json=new("Jane?", "1 < 2"), headers=me)
    assert translated(client, me, format="html")["text"] == PEOPLES
    assert "memory" not in translated(client, me, format="html", text=f"<p>{SENTENCE}</p>")
    assert "memory" not in translated(client, me, format="html", text="Jane?")


def test_dialects_use_it_too(client: AppClient, me: dict[str, str]) -> None:
    client.post("/v1/memory", json=new(SENTENCE, PEOPLES), headers=me)
    asked = {"q": SENTENCE, "source": "fr", "target": "en"}
    assert client.post("/translate", json=asked, headers=me).json()["translatedText"] == PEOPLES
    asked = {"text": SENTENCE, "target_lang": "EN", "source_lang": "FR"}
    (found,) = client.post("/v2/translate", json=asked, headers=me).json()["translations"]
    assert (found["text"], found["billed_characters"]) == (PEOPLES, len(SENTENCE))


def test_what_is_alike_is_only_suggested(client: AppClient, me: dict[str, str]) -> None:
    client.post("/v1/memory", json=new(SENTENCE, PEOPLES), headers=me)
    nearly = SENTENCE.replace("septembre", "octobre")
    assert translated(client, me, text=nearly)["text"] == nearly
    asked = {"source": "fr", "target": "en", "text": nearly}
    (match,) = client.post("/v1/memory/search", json=asked, headers=me).json()["matches"]
    assert match["entry"]["translation"] == PEOPLES
    assert 0.7 <= match["score"] < 1
    assert client.post("/v1/memory/search", json=asked).json() == {"matches": []}


def test_entries_are_listed_in_pages_and_deleted(client: AppClient, me: dict[str, str]) -> None:
    pairs = [{"text": str(n), "translation": str(n)} for n in range(3)]
    client.post("/v1/memory", json=new("", "", entries=pairs), headers=me)
    page = client.get("/v1/memory", params={"limit": 2}, headers=me).json()
    assert [one["text"] for one in page["entries"]] == ["0", "1"]
    rest = client.get("/v1/memory", params={"limit": 2, "after": page["next"]}, headers=me).json()
    assert [one["text"] for one in rest["entries"]] == ["2"]
    assert "next" not in rest
    path = f"/v1/memory/{page['entries'][0]['id']}"
    assert delete(client, path, {}) == 404
    assert delete(client, path, me) == 204
    assert delete(client, path, me) == delete(client, f"/v1/memory/{2**70}", me) == 404


def delete(client: AppClient, path: str, headers: dict[str, str]) -> int:
    return client.runner.run(client.http.delete(path, headers=headers)).status_code


def test_only_an_admin_adds_for_everybody(
    client: AppClient, me: dict[str, str], admin: dict[str, str]
) -> None:
    shared = new("Elle dort.", "She is asleep.", shared=True)
    assert client.post("/v1/memory", json=shared, headers=me).status_code == 403
    assert client.post("/v1/memory", json=new("a", "b")).status_code == 403
    assert client.post("/v1/memory", json=shared, headers=admin).status_code == 201
    assert translated(client, {}, text="Elle dort.")["text"] == "She is asleep."
    (entry,) = client.get("/v1/memory", headers=me).json()["entries"]
    assert entry["shared"]
    path = f"/v1/memory/{entry['id']}"
    assert [delete(client, path, one) for one in (me, admin)] == [404, 204]


def test_suggestions_wait_for_somebody_to_accept_them(client: AppClient, data_dir: Path) -> None:
    assert client.get("/frontend/settings").json()["suggestions"] is True
    given = {"q": "Il mange.", "s": "He eats.", "source": "fr", "target": "en"}
    assert client.post("/suggest", data=given).json() == {"success": True}
    assert "memory" not in translated(client, {}, text="Il mange.")
    line = run(data_dir, "suggestions").stdout.strip()
    entry_id, *rest = line.split("\t")
    assert rest == ["fr-en", "Il mange.", "He eats."]
    run(data_dir, "accept", entry_id)
    assert translated(client, {}, text="Il mange.")["text"] == "He eats."
    with pytest.raises(ConfigError, match=f"no suggestion has the id {entry_id}"):
        run(data_dir, "accept", entry_id)


@pytest.mark.parametrize(
    "changes", [{"q": ""}, {"s": ""}, {"target": "xx"}, {"s": "a\x07b"}, {"q": " "}]
)
def test_a_suggestion_that_cannot_be_kept(client: AppClient, changes: dict[str, str]) -> None:
    given = {"q": "Il mange.", "s": "He eats.", "source": "fr", "target": "en"} | changes
    assert client.post("/suggest", json=given).status_code == 400


def test_without_a_memory() -> None:
    with open_app() as client:
        assert client.get("/frontend/settings").json()["suggestions"] is False
        given = {"q": "a", "s": "b", "source": "fr", "target": "en"}
        refused = client.post("/suggest", json=given)
        assert refused.status_code == 403
        assert refused.json() == {"error": "suggestions are not taken on this server"}
        assert "data_dir" in problem_of(client.get("/v1/memory"), 404)["detail"]


def test_a_memory_that_cannot_be_read_stops_no_translation(
    client: AppClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> list[str | None]:
        raise InputError(SENTENCE)

    monkeypatch.setattr(MemoryStore, "exact", broken)
    assert translated(client, {})["text"] == SENTENCE
    log = capfd.readouterr().err
    assert "memory_unreachable" in log
    assert SENTENCE not in log


def test_tmx_is_imported_and_exported(
    client: AppClient, data_dir: Path, keys: ApiKeys, tmp_path: Path
) -> None:
    key = keys.create("importer")
    file = tmp_path / "memory.tmx"
    file.write_text(TMX.format(text="Elle chante.", translation="She sings."))
    assert run(data_dir, "import", str(file), "--key", "importer").stdout == "1 kept, 1 left out\n"
    me = {"Authorization": f"Bearer {key}"}
    assert translated(client, me, text="Elle chante.")["text"] == "She sings."
    assert "memory" not in translated(client, {}, text="Elle chante.")
    exported = run(data_dir, "export", "--key", "importer").stdout
    assert "<seg>Elle chante.</seg>" in exported
    again = tmp_path / "again.tmx"
    again.write_text(exported)
    assert "0 left out" in run(data_dir, "import", str(again)).stdout
    assert translated(client, {}, text="Elle chante.")["text"] == "She sings."


def test_a_wrong_file_or_key_is_named(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "memory.tmx"
    file.write_text("plain")
    with pytest.raises(InputError, match="line 1: not XML"):
        run(data_dir, "import", str(file))
    with pytest.raises(ConfigError, match="no key is named nobody"):
        run(data_dir, "export", "--key", "nobody")
