"""Several open models: choosing among them, and opening all or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.errors import BundleError, ConfigError, UnknownModelError
from serving.models import Models, check
from serving.settings import ServeSettings
from serving.translator import Translator
from tests.app_client import echo
from tests.echo_bundle import write_echo_bundle
from tests.fake_bundle import fake_bundle


@pytest.fixture
def models() -> Iterator[Models]:
    opened = Models(
        [
            echo(fake_bundle(name="small")),
            echo(fake_bundle(name="large")),
            echo(fake_bundle(name="czech", source_language="en", target_language="cs")),
        ]
    )
    yield opened
    opened.close()


def settings_of(*folders: Path) -> ServeSettings:
    return ServeSettings.model_validate({"bundles": [{"path": str(folder)} for folder in folders]})


def test_the_first_of_a_pair_is_taken(models: Models) -> None:
    assert models.choose("fr", "en").manifest.name == "small"
    assert models.choose("FR", "En", "large").manifest.name == "large"
    assert models.choose("en", "cs", "czech").manifest.name == "czech"


def test_an_unknown_pair_names_the_pairs(models: Models) -> None:
    with pytest.raises(UnknownModelError, match=r"only fr-en, en-cs$"):
        models.choose("cs", "en")


@pytest.mark.parametrize("name", ["huge", "czech", ""])
def test_an_unknown_model_names_those_of_the_pair(models: Models, name: str) -> None:
    with pytest.raises(UnknownModelError, match=r"for fr-en, only small, large$"):
        models.choose("fr", "en", name)


def test_a_long_list_is_cut() -> None:
    models = Models([echo(fake_bundle(name=f"model{i}")) for i in range(25)])
    with pytest.raises(UnknownModelError, match=r"model19 and more; see GET /v1/models$"):
        models.choose("fr", "en", "none")
    models.close()


def test_same_names_are_refused() -> None:
    twins = [echo(fake_bundle(name="twin")) for _ in range(2)]
    with pytest.raises(ConfigError, match="several bundles are named twin"):
        Models(twins)
    for twin in twins:
        twin.close()


def test_healthy_while_every_engine_is(models: Models) -> None:
    assert models.healthy()
    models.translators[1].close()
    assert not models.healthy()


def test_opening_real_bundles(tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "a", name="a")
    write_echo_bundle(tmp_path / "b", name="b", source_language="de")
    settings = settings_of(tmp_path / "a", tmp_path / "b")
    assert [manifest.name for manifest in check(settings)] == ["a", "b"]
    models = Models.open(settings)
    try:
        (translation,) = models.choose("de", "en").translate(["Jane."])
        assert translation.text == "Jane."
    finally:
        models.close()


def test_all_bad_bundles_are_reported_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_echo_bundle(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    closed: list[str] = []
    close = Translator.close

    def noted_close(translator: Translator) -> None:
        closed.append(translator.manifest.name)
        close(translator)

    monkeypatch.setattr(Translator, "close", noted_close)
    settings = settings_of(tmp_path / "empty", tmp_path / "good", tmp_path / "missing")
    for open_all in (Models.open, check):
        with pytest.raises(BundleError) as caught:
            open_all(settings)
        assert "empty lacks manifest.json" in str(caught.value)
        assert "missing: no such bundle folder" in str(caught.value)
    assert closed == ["echo"]


def test_a_bundle_served_twice(tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "echo")
    for open_all in (Models.open, check):
        with pytest.raises(ConfigError, match="several bundles are named echo"):
            open_all(settings_of(tmp_path / "echo", tmp_path / "echo"))
