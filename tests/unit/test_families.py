"""A family is a file: what README tells someone who adds one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import training.models
from mt.errors import ConfigError
from tests.tiny_models import TRANSFORMER_SIZES
from training.export.families import build_graphs
from training.export.graph import SINGLE
from training.export.signature import Limits
from training.models import FAMILIES, find_families

NEW = '''
from typing import Literal

from training.models.family import Family
from training.models.transformer import Transformer
from training.models.transformer_config import TransformerConfig


class TwinConfig(TransformerConfig):
    family: Literal["twin"] = "twin"


class Twin(Transformer):
    """One side's embeddings doubled."""

    def embed(self, *arguments):
        x, state = super().embed(*arguments)
        return 2 * x, state


FAMILY = Family(TwinConfig, Twin, "a Transformer's twin")
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that counts as part of `training.models`."""
    training.models.__path__.append(str(tmp_path))
    yield tmp_path
    training.models.__path__.remove(str(tmp_path))
    sys.modules.pop("training.models.twin", None)


def test_one_new_file_is_a_new_family(folder: Path) -> None:
    (folder / "twin.py").write_text(NEW, encoding="utf-8")
    found = find_families()
    assert found.keys() == FAMILIES.keys() | {"twin"}
    twin = found["twin"]
    assert twin.title == "a Transformer's twin"
    model = twin.build(twin.config(**TRANSFORMER_SIZES), 20)
    assert model(torch.tensor([[5, 3]]), torch.tensor([[2]])).shape == (1, 1, 20)
    with pytest.raises(ConfigError, match=r"Twin cannot be exported yet, only .*Transformer"):
        build_graphs(model, SINGLE, Limits(8, ()))  # a parent's graphs are not its own


def test_every_family_is_described() -> None:
    assert {"transformer", "gru", "decoder-only"} <= FAMILIES.keys()
    for name, family in FAMILIES.items():
        assert family.name == name
        assert family.title
