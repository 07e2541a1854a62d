"""Settings of a server: what a file may say, and how a bundle differs from the rest."""

from pathlib import Path

import pytest

from mt.errors import ConfigError
from serving.settings import BundleSettings, EngineSettings, ServeSettings, load

YAML = """
bundles:
  - path: build/fr-en
  - path: build/en-de
    engine: {threads: 2, precision: int8}
engine:
  threads: 4
  max_rows: 64
limits:
  deadline_s: null
port: 0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "serve.yaml"
    path.write_text(text)
    return path


def test_a_settings_file(tmp_path: Path) -> None:
    settings = load(write(tmp_path, YAML), ["replicas=2", "limits.max_beam_size=8"])
    assert [bundle.path for bundle in settings.bundles] == ["build/fr-en", "build/en-de"]
    assert (settings.port, settings.replicas) == (0, 2)
    assert (settings.limits.deadline_s, settings.limits.max_beam_size) == (None, 8)


def test_only_keys_that_a_bundle_sets_differ(tmp_path: Path) -> None:
    settings = load(write(tmp_path, YAML))
    first, second = map(settings.engine_for, settings.bundles)
    assert (first.threads, first.precision, first.max_rows) == (4, None, 64)
    assert (second.threads, second.precision, second.max_rows) == (2, "int8", 64)


def test_a_bundle_may_set_a_key_back_to_its_default() -> None:
    bundle = BundleSettings(path="x", engine=EngineSettings(threads=1))
    settings = ServeSettings(bundles=[bundle], engine=EngineSettings(threads=4))
    assert settings.engine_for(bundle).threads == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port: 1", "bundles: Field required"),
        ("bundles: []", "bundles: "),
        ("bundles: [{path: x}]\nlimit: {}", "limit: Extra inputs"),
        ("bundles: [{path: x, engine: {rows: 3}}]", "bundles.0.engine.rows: Extra inputs"),
        ("bundles: [{path: x}]\nlimits: {max_texts: 0}", "limits.max_texts: "),
        ("bundles: [{path: x}]\nport: 70000", "port: "),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"{path}: .*{message}"):
        load(path)


def test_ray_may_hand_over_all_that_the_engines_hold() -> None:
    engine = EngineSettings(max_rows=10, max_waiting=20)
    bundles = [
        BundleSettings(path="a"),
        BundleSettings(path="b", engine=EngineSettings(max_rows=5)),
    ]
    assert ServeSettings(bundles=bundles, engine=engine).max_ongoing_requests == 16 + 30 + 25


def test_the_own_search_is_never_too_much_work() -> None:
    bundles = [{"path": "a"}]
    assert ServeSettings.model_validate({"bundles": bundles}).most_work == 400_000
    wide = {"bundles": bundles, "search": {"beam_size": 10}, "limits": {"max_beam_size": 10}}
    assert ServeSettings.model_validate(wide).most_work == 10 * 50_000
