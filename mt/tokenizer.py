"""SentencePiece text <-> ids, with the four special ids every model of this project uses."""

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from mt.errors import BundleError

PAD_ID = 0
UNK_ID = 1
BOS_ID = 2
EOS_ID = 3
SPECIAL_IDS = (PAD_ID, UNK_ID, BOS_ID, EOS_ID)

Span = tuple[int, int]
"""Start and end in a text, in characters (code points)."""


def seed_sampling(seed: int) -> None:
    """Start the generator behind `Tokenizer.encode_sampled`, which all tokenizers share."""
    sentencepiece.set_random_generator_seed(seed % 2**32)


class Tokenizer:
    """A joint SentencePiece model for source and target, fixed once trained."""

    def __init__(self, model: bytes, name: str = "tokenizer.model") -> None:
        """Load a serialised SentencePiece model.

        Raises:
            BundleError: the bytes are no such model, or its special ids are not ours.
        """
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except RuntimeError:
            raise BundleError(f"{name} is not a SentencePiece model") from None
        processor = self._processor
        ids = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if ids != SPECIAL_IDS:
            raise BundleError(f"{name}: pad, unk, bos, eos are {ids}, expected {SPECIAL_IDS}")
        self.model = model

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a SentencePiece model file.

        Raises:
            BundleError: the file is missing or no such model.
        """
        try:
            return cls(path.read_bytes(), str(path))
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror})") from None

    @property
    def vocab_size(self) -> int:
        """Number of pieces, special ones included."""
        return int(self._processor.get_piece_size())

    @property
    def has_merges(self) -> bool:
        """Whether pieces come of merges, which can be left out: BPE, and no other kind of model."""
        try:  # SentencePiece tells no kind; unigram alone lists cuts, characters cannot be sampled
            self._processor.nbest_encode("a", nbest_size=1)
        except RuntimeError:
            pass
        else:
            return False
        try:
            self.encode_sampled("a", 0.1)
        except RuntimeError:
            return False
        return True

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without bos or eos."""
        return list(self._processor.encode(text))

    def encode_all(self, texts: Sequence[str], threads: int = 1) -> list[list[int]]:
        """As `encode`, of many texts at once: without a call from Python for each."""
        return list(self._processor.encode(list(texts), num_threads=threads))

    def encode_sampled(self, text: str, dropout: float) -> list[int]:
        """Ids of a text cut at random: each merge is left out with probability `dropout`.

        Draws from SentencePiece's own generator (`seed_sampling`).
        """
        ids = self._processor.encode(text, enable_sampling=True, alpha=dropout, nbest_size=-1)
        return list(ids)

    def encode_source(self, text: str) -> list[int]:
        """Ids of a source sentence as a model reads it: with eos at the end."""
        return [*self.encode(text), EOS_ID]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; special ids leave no trace."""
        return str(self._processor.decode([int(i) for i in ids if i not in SPECIAL_IDS]))

    def encode_phrase(self, text: str, spaced: bool = True) -> list[int]:
        """Ids of words amid a sentence; where words are not `spaced`, without the space before."""
        ids = self.encode(text)
        if not spaced and ids and self._processor.id_to_piece(ids[0]) == "▁":
            return ids[1:]
        return ids

    def continuing(self) -> list[bool]:
        """Of each id, whether it goes on with the word before it: `s`, not `▁s` nor a comma.

        The bytes that spell rare characters count as letters.
        """
        pieces = map(self._processor.id_to_piece, range(self.vocab_size))
        return [piece[:1].isalnum() or self._processor.is_byte(i) for i, piece in enumerate(pieces)]

    def encode_with_spans(self, text: str) -> tuple[list[int], list[Span]]:
        """Ids of a text and the characters each stands for, space before it included.

        Where several ids spell one character, the last of them has its span and the others none.
        """
        result = self._processor.encode(text, return_type="offset_mapping")
        return list(result["ids"]), list(result["offsets"])

    def decode_with_spans(self, ids: Sequence[int]) -> tuple[str, list[Span]]:
        """Text of ids that hold no special ones, and the characters of it that each id wrote."""
        result = self._processor.decode([int(i) for i in ids], return_type="offset_mapping")
        return str(result["text"]), list(result["offsets"])

    def is_learnt(self, piece_id: int) -> bool:
        """Whether a piece was learnt from text: not special, not a byte, not the bare space."""
        return (
            piece_id not in SPECIAL_IDS
            and not self._processor.is_byte(piece_id)
            and self._processor.id_to_piece(piece_id) != "▁"
        )

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces behind ids, as SentencePiece spells them."""
        return [str(self._processor.id_to_piece(int(i))) for i in ids]

    def never_emitted(self) -> list[int]:
        """Ids a decoder must not produce: pad, unknown, bos, and byte pieces of control characters.

        Byte fallback can spell a newline or NUL; no translation of one sentence holds either.
        """
        controls = {f"<0x{code:02X}>" for code in (*range(0x20), 0x7F)}
        pieces = (i for i in range(self.vocab_size) if self._processor.id_to_piece(i) in controls)
        return [PAD_ID, UNK_ID, BOS_ID, *pieces]
