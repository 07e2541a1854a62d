"""Fixtures of the unit tests."""

import warnings
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def replica() -> ModuleType:
    """`serving.replica`, which imports Ray, whose own deprecations are not our business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from serving import replica
    return replica
