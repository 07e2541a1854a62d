from importlib.metadata import EntryPoint, EntryPoints
from typing import cast

import pytest

from mt.errors import ConfigError
from mt.stepper import runtime


def install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Pretend that one runtime, `fake`, is installed."""
    entries = EntryPoints([EntryPoint("fake", value, "seq2serve.runtimes")])
    monkeypatch.setattr("mt.stepper.entry_points", lambda **wanted: entries.select(**wanted))


def test_a_runtime_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "builtins:open")
    assert cast(object, runtime("fake")) is open


def test_the_onnx_runtime_is_installed() -> None:
    assert callable(runtime("onnx"))


def test_an_unknown_runtime_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "builtins:open")
    with pytest.raises(ConfigError, match="no runtime named tpu"):
        runtime("tpu")


def test_a_runtime_that_lacks_its_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, "a_library_that_is_not_here:open_stepper")
    with pytest.raises(ConfigError, match=r"needs a_library_that_is_not_here: pip install 'seq2"):
        runtime("fake")
