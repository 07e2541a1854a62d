"""What a family tells of itself: how a recipe describes one of its models, and how one is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mt.config import Strict
from training.models.seq2seq import Seq2Seq


class ModelConfig(Strict):
    """The `model` section of a recipe; each family adds its sizes and choices."""

    family: str


@dataclass(frozen=True)
class Family:
    """A family, as its module's `FAMILY`.

    Attributes:
        config: its section of a recipe, whose `family` is a literal with the family's name.
        build: config and vocabulary size -> a fresh model.
        title: what a model card calls it, with its source.
    """

    config: type[ModelConfig]
    build: Callable[[Any, int], Seq2Seq]
    title: str

    @property
    def name(self) -> str:
        """What recipes call it."""
        name: str = self.config.model_fields["family"].default
        return name
