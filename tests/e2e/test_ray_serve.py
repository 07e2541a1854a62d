"""`seq2serve serve --ray`: a Ray of its own, one address for all models, nothing left behind."""

import os
import shutil
import signal
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deepl
import httpx
import pytest
from libretranslatepy import LibreTranslateAPI

from serving.client import Client
from tests.app_client import SENTENCE, problem_of
from tests.echo_bundle import write_echo_bundle
from tests.server_process import PATIENCE_S, Server, seq2serve
from tests.visitor import left_behind, visit

pytestmark = pytest.mark.ray


def test_two_models_behind_one_address(tmp_path: Path) -> None:
    for name, busy in (("quick", 0), ("slow", 700)):
        write_echo_bundle(tmp_path / name, name=name, busy=busy)
    bundles = [str(tmp_path / "quick"), str(tmp_path / "slow")]
    private = folder_for_sockets()
    env = {"TMPDIR": str(private), "HOME": str(tmp_path)}
    with Server(*bundles, "--ray", port=free_port(), env=env) as server:
        _answers(server)
        _refuses(server)
        _streams(server)
        _answers_clients_of_others(server)
        _is_alone_on_its_port(server, bundles[0])
        _keeps_nothing_of_a_visitor(server, private)
        started = processes_with(str(private))
        assert len(started) > 1
        _finishes_what_it_accepted(server)
        assert server.wait() == 0
    assert processes_with(str(private)) == []
    assert list(private.glob("seq2serve-ray-*")) == []
    assert not (tmp_path / ".ray").exists()  # where Ray would have kept a token
    shutil.rmtree(private)


def _answers(server: Server) -> None:
    assert server.get("/readyz").json() == {"status": "ok"}
    assert [model["name"] for model in server.get("/v1/models").json()["models"]] == [
        "quick",
        "slow",
    ]
    for model in ("quick", "slow"):
        response = server.translate(model=model)
        assert response.json()["translations"] == [{"text": SENTENCE}]
        assert response.json()["model"] == model
    assert len(response.headers.get_list("x-request-id")) == 1
    page = server.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert '<script type="module" src="web/app.js">' in page.text
    assert server.get("/web/app.js").headers["content-type"].startswith("text/javascript")


def _refuses(server: Server) -> None:
    problem_of(server.translate(model="other"), 404)
    problem_of(server.translate(text="a\0"), 422)
    too_large = httpx.post(f"{server.url}/v1/translate", content=b" " * 2_000_000, timeout=60)
    problem_of(too_large, 413)


def _keeps_nothing_of_a_visitor(server: Server, private: Path) -> None:
    """Neither in answers that refuse, nor in metrics, our log or any file that Ray writes."""
    visit(server.url, PATIENCE_S, echoed="x-request-id")  # by Ray, as it came; ours is in the body
    written = [path for path in private.rglob("*.*") if path.suffix in (".log", ".err", ".out")]
    assert any(path.name.startswith("replica_") for path in written)
    kept = {path.name: path.read_text(errors="replace") for path in written}
    kept |= {"/metrics": server.get("/metrics").text, "stderr": server.log()}
    assert left_behind(kept) == []


def _streams(server: Server) -> None:
    """Sentence by sentence; a client that leaves stops the work, as it does without Ray."""
    text = " ".join([SENTENCE] * 3)
    with Client(server.url) as client:
        *pieces, done = client.translate_stream(text, source="fr", target="en", model="quick")
        assert "".join(one.text + one.after for one in pieces) == text  # type: ignore[union-attr]
        assert done.model == "quick"  # type: ignore[union-attr]
        assert len(pieces) == 3
        begun = client.translate_stream(text, source="fr", target="en", model="slow", beam_size=1)
        next(begun)
        begun.close()  # type: ignore[attr-defined]
    server.wait_until_idle()


def _answers_clients_of_others(server: Server) -> None:
    assert LibreTranslateAPI(server.url).translate(SENTENCE, "auto", "en") == SENTENCE
    client = deepl.DeepLClient("any key", server_url=f"{server.url}/deepl/")
    found = client.translate_text([SENTENCE], target_lang="EN-GB")
    assert isinstance(found, list)
    assert found[0].text == SENTENCE
    assert [one.code for one in client.get_target_languages()] == ["EN-GB", "EN-US"]
    handle = client.translate_document_upload(SENTENCE, filename="a.txt", target_lang="EN-GB")
    assert client.translate_document_wait_until_done(handle).done
    fetched = client.translate_document_download(handle)
    assert fetched is not None
    assert fetched.content.decode() == SENTENCE
    glossary = client.create_glossary("g", "FR", "EN", {"Jane": "Hund"})
    termed = client.translate_text_with_glossary(SENTENCE, glossary, target_lang="EN-GB")
    assert isinstance(termed, deepl.TextResult)
    assert "Hund" in termed.text
    client.delete_glossary(glossary)
    assert client.list_glossaries() == []
    with pytest.raises(deepl.DeepLException, match="text: "):
        client.translate_text([], target_lang="EN-GB")
    client.close()  # type: ignore[no-untyped-call]


def _is_alone_on_its_port(server: Server, bundle: str) -> None:
    done = seq2serve("serve", bundle, "--ray", "--port", str(server.port))
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{server.port}" in done.stderr


def _finishes_what_it_accepted(server: Server) -> None:
    new = f"{SENTENCE} {SENTENCE}"  # one that has been asked for would be remembered
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(server.translate, model="slow", beam_size=2, text=new)
        server.wait_until_busy()
        server.process.send_signal(signal.SIGTERM)
        assert slow.result().json()["translations"] == [{"text": new}]


def folder_for_sockets() -> Path:
    """A short folder of our own: Ray puts sockets there, whose paths may have 107 bytes."""
    return Path(tempfile.mkdtemp(prefix="s2s-"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_with(word: str) -> list[int]:
    """Processes, other than this one, whose command line names this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
        if word.encode() in command and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
