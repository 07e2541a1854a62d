"""The unmodified clients of other services against this server, as a process on loopback."""

from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from deep_translator import LibreTranslator
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
    assert b'{"error":"target: not one of' in refused.value.read()
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
