"""For all tests: one thread a process, since tiny tensors on several cost far more than they save.

On a busy machine threads that wait for one another made a test 20 times slower.
"""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported


@pytest.fixture(scope="session")
def hostile_comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a comparison made by chance, whose first sentence is mark-up, and its report."""
    from tests.fake_comparison import write_hostile_comparison

    folder = tmp_path_factory.mktemp("comparison")
    write_hostile_comparison(folder)
    return folder
