"""The model families behind one small interface, each a file of this folder in its paper's order.

A family is a module here with a `FAMILY`; nothing else names it, so a new one is one new file.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from training.models.family import Family
from training.models.family import ModelConfig as _AnyConfig
from training.models.seq2seq import Seq2Seq


def find_families() -> dict[str, Family]:
    """Every family of this folder by its name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return {family.name: family for family in found}


FAMILIES = find_families()

if TYPE_CHECKING:
    ModelConfig = _AnyConfig
else:
    _CONFIGS = Union[tuple(family.config for family in FAMILIES.values())]  # noqa: UP007
    ModelConfig = Annotated[_CONFIGS, Field(discriminator="family")]


def build_model(config: _AnyConfig, vocab_size: int) -> Seq2Seq:
    """A fresh model of any family, initialised from torch's random state."""
    return FAMILIES[config.family].build(config, vocab_size)


__all__ = ["FAMILIES", "ModelConfig", "Seq2Seq", "build_model", "find_families"]
