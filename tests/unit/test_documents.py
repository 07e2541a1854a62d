"""Whole files through both dialects: every byte of their layout, and every way to fail."""

import asyncio
import io
import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.errors import OverloadedError
from serving.file_formats import open_file
from serving.stores import documents
from tests.app_client import AppClient, echo, open_app
from tests.fake_bundle import fake_bundle
from tests.gated_stepper import GatedStepper

TEXT = "\ufeffJane visite l'Afrique.\r\n\r\n\tJane visite\n\n" + "Jane visite l'Afrique.\n" * 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def client(folder: Path) -> Iterator[AppClient]:
    with open_app(documents={"folder": str(folder)}) as opened:
        yield opened


def upload(client: AppClient, path: str, **changes: Any) -> httpx.Response:
    fields = {"source": "fr", "target": "en", "source_lang": "FR", "target_lang": "EN-GB"}
    given = {"name": "letter.txt", "content": TEXT.encode()} | changes
    file = (given.pop("name"), given.pop("content"))
    sent = {name: value for name, value in (fields | given).items() if value is not None}
    return client.post(path, files={"file": file}, data=sent)


def ask(client: AppClient, sent: httpx.Response, more: str = "", **changes: str) -> httpx.Response:
    keys = sent.json() | changes
    path = f"/v2/document/{keys['document_id']}{more}"
    return client.post(path, json={"document_key": keys["document_key"]})


def wait(client: AppClient, sent: httpx.Response) -> Any:
    """The last status of a document."""

    async def until_done() -> None:
        while client.app.state.service.jobs:
            await asyncio.sleep(0.01)

    client.runner.run(until_done())
    return ask(client, sent).json()


@given(text=st.text(st.sampled_from("ab \n"), max_size=60), most=st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_pieces_are_the_text(text: str, most: int) -> None:
    found = documents.pieces(text, most)
    assert "".join(found) == text
    assert all(len(piece) <= most for piece in found)


@pytest.mark.parametrize(
    ("text", "most", "found"),
    [
        ("ab\ncd e\nf", 6, ["ab\n", "cd e\nf"]),
        ("ab cd ef", 6, ["ab cd ", "ef"]),
        ("a. b c d", 6, ["a. ", "b c d"]),
        ("a. b c d.", 7, ["a. ", "b c d."]),
        ("abcdef", 4, ["abcd", "ef"]),
        ("", 4, [""]),
    ],
)
def test_pieces_end_at_lines_else_at_words(text: str, most: int, found: list[str]) -> None:
    assert documents.pieces(text, most) == found


@given(
    texts=st.lists(st.text("ab", max_size=9), max_size=9),
    most_texts=st.integers(1, 4),
    most_chars=st.integers(1, 12),
)
@settings(max_examples=100, deadline=None)
def test_batches_are_the_texts(texts: list[str], most_texts: int, most_chars: int) -> None:
    found = documents.batches(texts, most_texts, most_chars)
    assert [text for batch in found for text in batch] == texts
    for batch in found:
        assert 1 <= len(batch) <= most_texts
        assert len(batch) == 1 or sum(map(len, batch)) <= most_chars
    for batch, following in itertools.pairwise(found):
        full = sum(map(len, batch)) + len(following[0]) > most_chars
        assert full or len(batch) == most_texts


def test_batches_of_hand_made_texts() -> None:
    texts = ["aa", "b", "cccc", "d", "", ""]
    assert documents.batches(texts, 2, 3) == [["aa", "b"], ["cccc"], ["d", ""], [""]]
    assert documents.batches([], 2, 3) == []


def test_a_file_may_hold_more_texts_than_a_request(folder: Path) -> None:
    with open_app(documents={"folder": str(folder)}, limits={"max_texts": 2}) as client:
        content = b"Jane\n" * 5
        url = upload(client, "/translate_file", content=content).json()["translatedFileUrl"]
        assert client.get(url).content == content


FILES = {
    "page.html": "<!doctype html><title>Jane</title><p>Jane <b>visite</b> l'Afrique.</p>\n",
    "cues.srt": "1\n00:00:01,000 --> 00:00:02,000\nJane visite.\n\n",
    "words.po": 'msgid "Jane visite."\nmsgstr ""\n',
    "words.json": '{"a": "Jane visite.", "b": 1}',
    "notes.md": "# Jane\n\n*Jane* visite `l`.\n",
    "empty.txt": "",
    "blank.txt": " \n\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind(client: AppClient, name: str) -> None:
    content = FILES[name].encode()
    expected = content.replace(b'msgstr ""', b'msgstr "Jane visite."')
    url = upload(client, "/translate_file", name=name, content=content).json()["translatedFileUrl"]
    fetched = client.get(url)
    assert fetched.content == expected
    assert name.replace(".", "_en.") in fetched.headers["content-disposition"]
    sent = upload(client, "/v2/document", name=name, content=content, source_lang=None)
    assert wait(client, sent)["status"] == "done"
    assert ask(client, sent, "/result").content == expected


def test_a_word_file_comes_back_as_one(client: AppClient) -> None:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    paragraph = "<w:p><w:r><w:t>Jane visite l'Afrique.</w:t></w:r></w:p>"
    document = f'<w:document xmlns:w="{word}"><w:body>{paragraph}</w:body></w:document>'
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("word/document.xml", document)
    sent = upload(client, "/translate_file", name="a.docx", content=content.getvalue())
    fetched = client.get(sent.json()["translatedFileUrl"])
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        assert "Jane visite l'Afrique." in archive.read("word/document.xml").decode()
    for path in ("/translate_file", "/v2/document"):
        assert upload(client, path, name="a.docx", content=b"Jane").status_code == 400


def test_a_passage_of_markup_is_never_cut(folder: Path) -> None:
    limits = {"max_text_chars": 60}
    with open_app(documents={"folder": str(folder)}, limits=limits) as client:
        content = b"Jane " * 50
        assert upload(client, "/translate_file", content=content).status_code == 200
        refused = upload(client, "/translate_file", name="a.html", content=b"<p>" + content)
        assert "a passage of" in refused.json()["error"]


def test_libretranslate_gives_an_address(client: AppClient) -> None:
    for source in ("fr", "auto"):
        url = upload(client, "/translate_file", source=source).json()["translatedFileUrl"]
        assert url.startswith("http://server/download_file/")
        for _ in range(2):
            fetched = client.get(url)
            assert fetched.content == TEXT.encode()
            assert "letter_en.txt" in fetched.headers["content-disposition"]
            assert fetched.headers["x-content-type-options"] == "nosniff"


def test_deepl_gives_an_id_a_status_and_once_the_file(client: AppClient) -> None:
    for source in ("FR", None):
        sent = upload(client, "/v2/document", source_lang=source)
        assert sent.json().keys() == {"document_id", "document_key"}
        assert wait(client, sent) == {
            "document_id": sent.json()["document_id"],
            "status": "done",
            "billed_characters": sum(map(len, open_file("a.txt", TEXT.encode()).texts)),
        }
        assert ask(client, sent, "/result").content == TEXT.encode()
        for again in ("/result", ""):
            assert "fetched once" in ask(client, sent, again).json()["message"]


def test_a_document_that_is_not_ready() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    with open_app(echo(bundle, stepper=stepper), documents={"parallel": 1}) as client:
        first, second = (upload(client, "/v2/document") for _ in range(2))
        client.runner.run(asyncio.to_thread(stepper.wait_until_asked))
        assert ask(client, first).json()["status"] == "translating"
        assert ask(client, second).json()["status"] == "queued"
        assert "not ready" in ask(client, first, "/result").json()["message"]
        assert ask(client, first, "/result").status_code == 503
        stepper.open()
        assert wait(client, second)["status"] == "done"
        assert ask(client, first, "/result").content == TEXT.encode()


def test_only_the_key_opens_it(client: AppClient) -> None:
    sent = upload(client, "/v2/document")
    wait(client, sent)
    for wrong in ({"document_key": "é"}, {"document_key": ""}, {"document_id": "0" * 32}):
        for more in ("", "/result"):
            assert ask(client, sent, more, **wrong).status_code == 404
    assert client.get(f"/download_file/{sent.json()['document_id']}.txt").status_code == 404
    assert ask(client, sent, "/result").status_code == 200


@pytest.mark.parametrize("path", ["/translate_file", "/v2/document"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "letter.pdf"}, "file: only those whose names end in .txt, .html"),
        ({"name": "txt"}, "file: only"),
        ({"content": "é".encode("latin-1")}, "file: byte 1 is not UTF-8"),
        ({"target": "xx", "target_lang": "XX"}, "not"),
        ({"target": "fr", "target_lang": "FR", "source": "en", "source_lang": "EN"}, "pair"),
        ({"target": None, "target_lang": None}, "target"),
    ],
)
def test_bad_files(client: AppClient, path: str, changes: dict[str, Any], message: str) -> None:
    sent = upload(client, path, **changes)
    if sent.status_code == 200:  # DeepL's clients learn of it when they ask
        found = wait(client, sent)
        assert found["status"] == "error"
        assert message in found["error_message"]
        assert "fetched once" in ask(client, sent, "/result").json()["message"]
    else:
        assert sent.status_code == 400
        assert message in sent.text


def test_files_may_be_larger_than_other_bodies(folder: Path) -> None:
    settings: dict[str, Any] = {"limits": {"max_body_bytes": 1000}}
    settings["documents"] = {"folder": str(folder), "max_bytes": 5000}
    with open_app(**settings) as client:
        for path in ("/translate_file", "/v2/document", "/deepl/v2/document"):
            assert upload(client, path).status_code == 200
            assert upload(client, path, content=b" " * 5000).status_code == 413
        sent = client.post("/translate", json={"q": "a" * 1000, "source": "fr", "target": "en"})
        assert sent.status_code == 413


def test_deepl_s_terms_hold_in_a_file(client: AppClient) -> None:
    made = {"name": "g", "source_lang": "fr", "target_lang": "en", "entries_format": "tsv"}
    kept = client.post("/v2/glossaries", json=made | {"entries": "Jane\tHund"}).json()
    sent = upload(client, "/v2/document", glossary_id=kept["glossary_id"], content=b"Jane visite.")
    assert wait(client, sent)["status"] == "done"
    assert "Hund" in ask(client, sent, "/result").text
    for changes in ({"glossary_id": "nothing"}, {"glossary_id": "x", "source_lang": None}):
        refused = upload(client, "/v2/document", **changes)
        assert refused.status_code == (404 if len(changes) == 1 else 400)


@pytest.mark.parametrize("path", ["/translate_file", "/v2/document"])
def test_no_file(client: AppClient, path: str) -> None:
    fields = {"source": "fr", "target": "en", "target_lang": "EN-GB", "file": "text"}
    for how in ({"data": fields}, {"json": fields}):
        refused = client.post(path, **how)
        assert refused.status_code == 400
        assert "file: send one" in refused.text


def test_deepl_converts_to_no_other_format(client: AppClient) -> None:
    assert upload(client, "/v2/document", output_format="txt").status_code == 200
    refused = upload(client, "/v2/document", output_format="pdf")
    assert "output_format: only txt" in refused.json()["message"]
    assert upload(client, "/v2/document", name="x", filename="a/b.TXT").status_code == 200


def test_a_full_queue_is_waited_for(client: AppClient, monkeypatch: pytest.MonkeyPatch) -> None:
    (translator,) = client.app.state.service.models.translators
    translate_async, refusals = translator.translate_async, iter(range(2))

    async def crowded(*given: Any) -> Any:
        if next(refusals, None) is not None:
            raise OverloadedError("full", retry_after_s=0.01)
        return await translate_async(*given)

    monkeypatch.setattr(translator, "translate_async", crowded)
    assert wait(client, upload(client, "/v2/document"))["status"] == "done"


def test_but_not_for_ever(client: AppClient, monkeypatch: pytest.MonkeyPatch) -> None:
    (translator,) = client.app.state.service.models.translators

    async def full(*_: object) -> None:
        raise OverloadedError("the queue is full", retry_after_s=10_000)

    monkeypatch.setattr(translator, "translate_async", full)
    found = wait(client, upload(client, "/v2/document"))
    assert (found["status"], found["error_message"]) == ("error", "the queue is full")
    assert upload(client, "/translate_file").json()["error"].startswith("Slowdown: ")


def test_a_bug_is_an_error_too(
    client: AppClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (translator,) = client.app.state.service.models.translators
    monkeypatch.setattr(translator, "translate_async", lambda *_: 1 / 0)
    found = wait(client, upload(client, "/v2/document"))
    assert "unexpected" in found["error_message"]
    assert '"event": "bug"' in capsys.readouterr().err


def test_as_many_files_as_may_wait() -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    limits = {"max_waiting": 1}
    with open_app(echo(bundle, stepper=stepper), documents=limits) as client:
        first = upload(client, "/v2/document")
        for path in ("/v2/document", "/translate_file"):
            refused = upload(client, path)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
        stepper.open()
        assert wait(client, first)["status"] == "done"
        assert upload(client, "/translate_file").status_code == 200


def test_nothing_is_left_behind(folder: Path) -> None:
    bundle = fake_bundle()
    stepper = GatedStepper(bundle.manifest.vocab_size)
    kept = {"folder": str(folder)}
    with open_app(echo(bundle, stepper=stepper), documents=kept) as client:
        upload(client, "/v2/document")
        client.runner.run(asyncio.to_thread(stepper.wait_until_asked))
        assert folder.exists()
        stepper.open()
    assert not folder.exists()
