"""Fixtures of the unit tests."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from serving.stores.api_keys import ApiKeys


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where servers of a module keep what outlives them."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def keys(data_dir: Path) -> Iterator[ApiKeys]:
    """The keys of that folder: none yet."""
    opened = ApiKeys(data_dir)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def replica() -> ModuleType:
    """`serving.replica`, which imports Ray, whose own deprecations are not our business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from serving import replica
    return replica
