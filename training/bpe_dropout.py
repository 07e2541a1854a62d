"""BPE-dropout (Provilkov et al. 2020): every pass over the pairs cuts their words anew."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mt.tokenizer import Tokenizer, seed_sampling
from training.corpora.pair import Pair
from training.dataset import TokenDataset, open_dataset, read_facts, write_dataset


@dataclass(frozen=True)
class ResampledDataset(TokenDataset):
    """The encoded pairs of a run, and how to encode them at random for one epoch.

    pairs: reads the text again; folder: holds the running epoch's ids, as a function of the seed
    and the epoch's number, so that a run that was killed continues with the very same.
    """

    pairs: Callable[[], Iterable[Pair]]
    tokenizer: Tokenizer
    dropout: float
    seed: int
    folder: Path

    def of_epoch(self, epoch: int) -> TokenDataset:
        """The pairs of this dataset, in its order, cut for this epoch."""
        made_from = {**self.facts.made_from, "seed": self.seed, "epoch": epoch}
        made_from["dropout"] = self.dropout
        facts = read_facts(self.folder)
        if facts is None or facts.made_from != made_from:
            seed_sampling(self.seed * 1_000_003 + epoch)
            write_dataset(self.folder, self._encoded(), self.facts.max_length, made_from)
        return open_dataset(self.folder)

    def _encoded(self) -> Iterator[tuple[list[int], list[int]]]:
        """Ids of all pairs that the dataset holds; a side that grew too long stays whole."""
        longest = self.facts.max_length - 1
        for pair in self.pairs():
            whole = self.tokenizer.encode(pair.src), self.tokenizer.encode(pair.tgt)
            if max(map(len, whole)) > longest:
                continue
            cut = [self.tokenizer.encode_sampled(text, self.dropout) for text in pair]
            src, tgt = (
                some if len(some) <= longest else ids for some, ids in zip(cut, whole, strict=True)
            )
            yield src, tgt
