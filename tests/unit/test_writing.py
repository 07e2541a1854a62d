"""What the disk refuses is an error of the path, and nothing else is touched."""

from pathlib import Path

import pytest

from mt.errors import BundleError, ConfigError
from mt.writing import writing


def test_a_refusal_names_the_path_and_the_reason(tmp_path: Path) -> None:
    refused = r"cannot be written \(Is a directory\)$"
    with pytest.raises(ConfigError, match=refused), writing(tmp_path):
        tmp_path.write_text("x", encoding="utf-8")
    with pytest.raises(BundleError, match=str(tmp_path)), writing(tmp_path, BundleError):
        tmp_path.mkdir()


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), writing(tmp_path):
        raise ValueError("mine")
