"""The unmodified clients of other services against this server, as a process on loopback."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import deepl
import pytest
from deep_translator import DeeplTranslator, LibreTranslator
from deepl.api_data import ModelType, MultilingualGlossaryDictionaryEntries
from libretranslatepy import LibreTranslateAPI

from tests.app_client import SENTENCE
from tests.echo_bundle import write_echo_bundle
from tests.server_process import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bundles")
    write_echo_bundle(folder / "forth")
    write_echo_bundle(folder / "back", name="back", source_language="en", target_language="fr")
    with Server(str(folder / "forth"), str(folder / "back")) as running:
        yield running


@pytest.fixture(params=[None, "any key"])
def libretranslatepy(server: Server, request: pytest.FixtureRequest) -> LibreTranslateAPI:
    return LibreTranslateAPI(server.url, request.param)


def test_libretranslatepy_translates(libretranslatepy: LibreTranslateAPI) -> None:
    assert libretranslatepy.translate(SENTENCE, "fr", "en") == SENTENCE
    assert libretranslatepy.translate(SENTENCE, "auto", "en") == SENTENCE


def test_libretranslatepy_detects(libretranslatepy: LibreTranslateAPI) -> None:
    best, *_ = libretranslatepy.detect(SENTENCE)
    assert best["language"] == "fr"
    assert best["confidence"] > 50


def test_libretranslatepy_lists_languages(libretranslatepy: LibreTranslateAPI) -> None:
    assert libretranslatepy.languages() == [
        {"code": "fr", "name": "French", "targets": ["en", "fr"]},
        {"code": "en", "name": "English", "targets": ["en", "fr"]},
    ]


def test_libretranslatepy_reads_errors(libretranslatepy: LibreTranslateAPI) -> None:
    with pytest.raises(HTTPError) as refused:
        libretranslatepy.translate(SENTENCE, "fr", "xx")
    assert refused.value.code == 400
    assert b'{"error":"target: not supported' in refused.value.read()
    refused.value.close()


def test_deep_translator_as_libretranslate(server: Server, tmp_path: Path) -> None:
    translator = LibreTranslator(
        source="fr", target="en", api_key="any key", custom_url=f"{server.url}/"
    )
    assert translator.translate(SENTENCE) == SENTENCE
    assert translator.translate_batch([SENTENCE, "Jane & Jane?"]) == [SENTENCE, "Jane & Jane?"]
    file = tmp_path / "letter.txt"
    file.write_text(f"{SENTENCE}\n\n{SENTENCE}", encoding="utf-8")
    assert translator.translate_file(str(file)) == file.read_text(encoding="utf-8")


@pytest.fixture(params=["", "/deepl/"])
def deepl_client(server: Server, request: pytest.FixtureRequest) -> Iterator[deepl.DeepLClient]:
    client = deepl.DeepLClient("any key", server_url=server.url + request.param)
    yield client
    client.close()  # type: ignore[no-untyped-call]


def test_deepl_translates(deepl_client: deepl.DeepLClient) -> None:
    found = deepl_client.translate_text(SENTENCE, source_lang="FR", target_lang="EN-US")
    assert isinstance(found, deepl.TextResult)
    assert (found.text, found.detected_source_lang) == (SENTENCE, "FR")
    assert found.billed_characters == len(SENTENCE)


def test_deepl_translates_a_list_and_detects(deepl_client: deepl.DeepLClient) -> None:
    english = "Jane visits Africa in September."
    found = deepl_client.translate_text([SENTENCE, english], target_lang="EN-GB")
    assert isinstance(found, list)
    assert [one.text for one in found] == [SENTENCE, english]
    assert [one.detected_source_lang for one in found] == ["FR", "EN"]


def test_deepl_options(deepl_client: deepl.DeepLClient) -> None:
    found = deepl_client.translate_text(
        SENTENCE,
        target_lang="EN-GB",
        context="A letter.",
        split_sentences=deepl.SplitSentences.NO_NEWLINES,
        preserve_formatting=True,
        formality=deepl.Formality.PREFER_MORE,
        model_type=ModelType.PREFER_QUALITY_OPTIMIZED,
    )
    assert isinstance(found, deepl.TextResult)
    assert (found.text, found.model_type_used) == (SENTENCE, "quality_optimized")


@pytest.mark.parametrize("kind", ["html", "xml"])
def test_deepl_keeps_tags(deepl_client: deepl.DeepLClient, kind: str) -> None:
    markup = f'<p><x id="5"></x>{SENTENCE}<b>{SENTENCE}</b></p>'
    found = deepl_client.translate_text(
        [markup], target_lang="EN-GB", tag_handling=kind, ignore_tags=["x"], splitting_tags="p"
    )
    assert isinstance(found, list)
    for tag in ("<p>", '<x id="5"></x>', "<b>", "</b>", "</p>"):
        assert found[0].text.count(tag) == 1
    assert found[0].text.count("Jane") == 2


def test_deepl_lists_languages(deepl_client: deepl.DeepLClient) -> None:
    sources = deepl_client.get_source_languages()
    assert [(one.code, one.name) for one in sources] == [("FR", "French"), ("EN", "English")]
    targets = deepl_client.get_target_languages()
    assert [one.code for one in targets] == ["EN-GB", "EN-US", "FR"]
    assert not any(one.supports_formality for one in targets)


def test_deepl_usage(deepl_client: deepl.DeepLClient) -> None:
    character = deepl_client.get_usage().character
    assert character.valid
    assert not character.limit_reached


@pytest.mark.parametrize("deepl_client", ["/deepl/"], indirect=True)  # it waits 5 s
def test_deepl_translates_a_document(deepl_client: deepl.DeepLClient, tmp_path: Path) -> None:
    page = f"<!doctype html>\r\n<title>Jane</title><p>{SENTENCE} <b>{SENTENCE}</b></p>\n"
    given, translated = tmp_path / "page.html", tmp_path / "translated.html"
    given.write_bytes(page.encode())
    status = deepl_client.translate_document_from_filepath(given, translated, target_lang="EN-GB")
    assert status.done
    assert status.billed_characters is not None
    assert status.billed_characters > 2 * len(SENTENCE)
    assert translated.read_bytes() == page.encode()


def test_deepl_fetches_a_document_once(deepl_client: deepl.DeepLClient) -> None:
    handle = deepl_client.translate_document_upload(
        SENTENCE, filename="letter.txt", source_lang="FR", target_lang="EN-US"
    )
    while not deepl_client.translate_document_get_status(handle).done:
        time.sleep(0.05)
    fetched = deepl_client.translate_document_download(handle)
    assert fetched is not None
    assert fetched.content.decode() == SENTENCE
    with pytest.raises(deepl.DeepLException, match="Not found"):
        deepl_client.translate_document_download(handle)


@pytest.mark.parametrize("deepl_client", ["/deepl/"], indirect=True)  # it waits 5 s
def test_deepl_learns_what_was_wrong_with_a_document(deepl_client: deepl.DeepLClient) -> None:
    with pytest.raises(deepl.DeepLException, match="only those whose names end in"):
        deepl_client.translate_document_upload(b"", filename="x.pdf", target_lang="EN-GB")
    with pytest.raises(deepl.DocumentTranslationException, match="control character"):
        deepl_client.translate_document(
            b"Jane\0", io.BytesIO(), filename="x.txt", target_lang="EN-GB"
        )


def test_deepl_glossaries(deepl_client: deepl.DeepLClient) -> None:
    pairs = deepl_client.get_glossary_languages()
    assert [(one.source_lang, one.target_lang) for one in pairs] == [("fr", "en"), ("en", "fr")]
    made = deepl_client.create_glossary("g", "FR", "EN", {"Jane": "Hund"})
    assert (made.name, made.ready, made.entry_count) == ("g", True, 1)
    assert deepl_client.get_glossary(made.glossary_id).creation_time == made.creation_time
    assert [one.glossary_id for one in deepl_client.list_glossaries()] == [made.glossary_id]
    assert deepl_client.get_glossary_entries(made) == {"Jane": "Hund"}
    found = deepl_client.translate_text_with_glossary(SENTENCE, made, target_lang="EN-US")
    assert isinstance(found, deepl.TextResult)
    assert "Hund" in found.text
    deepl_client.delete_glossary(made)
    with pytest.raises(deepl.GlossaryNotFoundException):
        deepl_client.get_glossary(made.glossary_id)
    with pytest.raises(deepl.DeepLException, match="no such glossary"):
        deepl_client.translate_text(
            SENTENCE, source_lang="FR", target_lang="EN-US", glossary=made.glossary_id
        )
    read = deepl_client.create_glossary_from_csv("csv", "FR", "EN", "Jane,Hund\n")
    assert deepl_client.get_glossary_entries(read) == {"Jane": "Hund"}
    deepl_client.delete_glossary(read)
    assert deepl_client.list_glossaries() == []


def test_deepl_multilingual_glossaries(deepl_client: deepl.DeepLClient) -> None:
    french = MultilingualGlossaryDictionaryEntries("FR", "EN", {"Jane": "Hund"})
    english = MultilingualGlossaryDictionaryEntries("EN", "FR", {"fox": "Park"})
    made = deepl_client.create_multilingual_glossary("g", [french, english])
    assert {(one.source_lang, one.entry_count) for one in made.dictionaries} == {
        ("FR", 1),
        ("EN", 1),
    }
    assert deepl_client.get_multilingual_glossary(made.glossary_id).name == "g"
    found = deepl_client.translate_text(
        "The quick brown fox.", source_lang="EN", target_lang="FR", glossary=made
    )
    assert isinstance(found, deepl.TextResult)
    assert "Park" in found.text
    deepl_client.update_multilingual_glossary_name(made, "h")
    more = MultilingualGlossaryDictionaryEntries("FR", "EN", {"septembre": "test"})
    deepl_client.update_multilingual_glossary_dictionary(made, more)
    kept = deepl_client.get_multilingual_glossary_entries(made, "FR", "EN").dictionaries[0]
    assert str(kept.entries).split() == ["Jane", "Hund", "septembre", "test"]
    assert deepl_client.replace_multilingual_glossary_dictionary(made, more).entry_count == 1
    both = deepl_client.translate_text(
        SENTENCE, source_lang="FR", target_lang="EN-GB", glossary_ids=[made]
    )
    assert isinstance(both, deepl.TextResult)
    assert "test" in both.text
    deepl_client.delete_multilingual_glossary_dictionary(made, source_lang="EN", target_lang="FR")
    [listed] = deepl_client.list_multilingual_glossaries()
    assert (listed.name, len(listed.dictionaries)) == ("h", 1)
    deepl_client.delete_multilingual_glossary(made)
    assert deepl_client.list_multilingual_glossaries() == []


def test_deepl_reads_errors(deepl_client: deepl.DeepLClient) -> None:
    with pytest.raises(deepl.DeepLException, match="target_lang: not supported"):
        deepl_client.translate_text(SENTENCE, target_lang="XX")
    with pytest.raises(deepl.DeepLException, match="prefer_more is taken"):
        deepl_client.translate_text(SENTENCE, target_lang="EN-GB", formality="more")
    with pytest.raises(deepl.DeepLException, match="131072 bytes"):
        deepl_client.translate_text("a" * 140_000, target_lang="EN-GB")


def test_deep_translator_as_deepl(server: Server) -> None:
    translator = DeeplTranslator(source="fr", target="en", api_key="any key")
    translator._base_url = f"{server.url}/v2/"  # it offers no other way to another host
    assert translator.translate(SENTENCE) == SENTENCE
    assert translator.translate_batch([SENTENCE, "Jane & Jane?"]) == [SENTENCE, "Jane & Jane?"]
