"""What the systems of a comparison made of one test set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Outputs:
    """Sentences, references, and translations by system and seed; all lists are equally long.

    Raises:
        ValueError: they are not, or a system has no seed.
    """

    sources: Sequence[str]
    references: Sequence[str]
    hypotheses: Mapping[str, Mapping[int, Sequence[str]]]

    def __post_init__(self) -> None:
        lengths = {len(texts) for seeds in self.hypotheses.values() for texts in seeds.values()}
        if lengths | {len(self.sources), len(self.references)} != {len(self.sources)}:
            raise ValueError("sources, references and translations differ in number")
        if not all(self.hypotheses.values()):
            raise ValueError("a system has no translations")

    @property
    def systems(self) -> tuple[str, ...]:
        """Names, in the order of the comparison."""
        return tuple(self.hypotheses)

    def only(self, at: Sequence[int]) -> "Outputs":
        """The same for some of the sentences."""
        return Outputs(
            [self.sources[i] for i in at],
            [self.references[i] for i in at],
            {
                system: {seed: [texts[i] for i in at] for seed, texts in seeds.items()}
                for system, seeds in self.hypotheses.items()
            },
        )
