"""A promoted bundle takes the former one's place in serving settings, and nothing else changes."""

from pathlib import Path

import pytest

from mt.errors import ConfigError
from training.compare.succession import check_succession, replace_bundle

SETTINGS = """# ours
bundles: # the first answers
  - path: {first}
    engine: {{threads: 2}} # few
  - {{path: '{second}', engine: {{threads: 1}}}}
port: 8000
"""


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "en-de-2").mkdir()
    (tmp_path / "en-de-2/manifest.json").touch()
    return tmp_path / "en-de-2"


def written(folder: Path, first: object, second: object) -> Path:
    (folder / "settings.yaml").write_text(SETTINGS.format(first=first, second=second))
    return folder / "settings.yaml"


@pytest.mark.parametrize("place", ["first", "second"])
def test_its_path_is_put_in_and_comments_stay(tmp_path: Path, new: Path, place: str) -> None:
    former, other = tmp_path / "en-de", tmp_path / "en-de-old"  # one name begins like the other
    paths = {"first": other, "second": other, place: former}
    settings = written(tmp_path, **paths)
    check_succession(settings, former, new)
    assert settings.read_text() == SETTINGS.format(**paths)
    replace_bundle(settings, former, new)
    assert settings.read_text() == SETTINGS.format(**paths | {place: new})


def test_a_container_sees_it_below_another_folder(tmp_path: Path, new: Path) -> None:
    settings = written(tmp_path, "/models/fr-en", "/models/en-de")
    replace_bundle(settings, tmp_path / "en-de", new)
    assert settings.read_text() == SETTINGS.format(first="/models/fr-en", second="/models/en-de-2")


def test_what_cannot_be_replaced_is_refused(tmp_path: Path, new: Path) -> None:
    settings = written(tmp_path, "/models/en-de", "/others/en-de")
    folded = tmp_path / "folded.yaml"
    folded.write_text('bundles: [{"path": "/models/en-\\x64e"}]')
    broken, empty = tmp_path / "broken.yaml", tmp_path / "empty.yaml"
    broken.write_text("bundles: [")
    empty.write_text("bundles: []")
    for file, former, bundle, message in (
        (settings, tmp_path / "en-de", new, "does not name .* once, but /models/en-de, /others/"),
        (settings, tmp_path / "fr-en", new, "does not name"),
        (empty, tmp_path / "fr-en", new, "but no bundle"),
        (folded, Path("/models/en-de"), new, "put .*en-de-2 in by hand"),
        (broken, tmp_path / "fr-en", new, "is no settings file"),
        (tmp_path / "none.yaml", tmp_path / "fr-en", new, r"cannot be read \(FileNotFoundError\)"),
        (settings, Path("/models/en-de"), tmp_path, "is no bundle; only an exported one"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_succession(file, former, bundle)
