"""A change of what the server promises is seen here, before its clients see it."""

import difflib

import pytest

from tests.golden import openapi

DOCUMENTS = openapi.documents()
ADVICE = "the contract has changed; if that is meant: python -m tests.golden.openapi"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_contract_is_the_one_that_is_kept(name: str) -> None:
    kept = openapi.file_of(name).read_text()
    now = openapi.written(DOCUMENTS[name])
    lines = kept.splitlines(), now.splitlines()
    difference = list(difflib.unified_diff(*lines, "kept", "now", lineterm="", n=6))
    if difference:
        pytest.fail("\n".join([ADVICE, *difference]), pytrace=False)


def test_nothing_is_kept_that_nobody_speaks() -> None:
    kept = {path.name for path in openapi.FOLDER.glob("openapi_*.json")}
    assert kept == {openapi.file_of(name).name for name in DOCUMENTS}
