"""`Translator.open` on a bundle of real files and real graphs, as a program would use it."""

import threading
from pathlib import Path

import pytest

from mt.bundle import Bundle
from mt.errors import BundleError
from mt.search_options import SearchOptions
from serving.onnx_stepper import OnnxStepper, open_stepper
from serving.settings import EngineSettings
from serving.translator import Translator
from tests.echo_bundle import write_echo_bundle


def test_a_bundle_is_opened_warm_and_translates(tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "echo")
    with Translator.open(tmp_path / "echo") as translator:
        assert translator.ready
        assert translator.engine.stats().done == 1  # the warm-up
        [translation] = translator.translate(["Il dort.\n\nJane visite l'Afrique."])
        assert translation.text == "Il dort.\n\nJane visite l'Afrique."
    assert "engine echo" not in {thread.name for thread in threading.enumerate()}


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "echo")
    with Translator.open(str(tmp_path / "echo"), EngineSettings(precision="fp32")) as translator:
        [translation] = translator.translate(["Elle dort."], SearchOptions(beam_size=1))
        assert translation.text == "Elle dort."


def test_what_cannot_be_opened_says_why_and_leaves_no_thread(tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "echo")
    with pytest.raises(BundleError, match="has no int8 graphs, only fp32"):
        Translator.open(tmp_path / "echo", EngineSettings(precision="int8"))
    with pytest.raises(BundleError, match="no such bundle folder"):
        Translator.open(tmp_path / "nothing")
    assert "engine echo" not in {thread.name for thread in threading.enumerate()}


def test_the_runtime_gets_what_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def opening(bundle: Bundle, *wanted: object) -> OnnxStepper:
        asked.append(wanted)
        return open_stepper(bundle)

    monkeypatch.setattr("serving.running.cores.runtime", lambda name: opening)
    write_echo_bundle(tmp_path / "echo")
    settings = EngineSettings(precision="fp32", threads=2, device="cuda", shortlist=True)
    with Translator.open(tmp_path / "echo", settings):
        assert asked == [("fp32", 2, "cuda", True)]
