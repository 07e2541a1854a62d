"""The joint SentencePiece model, one vocabulary for both languages: learnt, or taken over."""

import io
import random
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import sentencepiece
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from mt.config import Strict
from mt.errors import ConfigError, CorpusError
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Tokenizer

MODEL_FILE = "tokenizer.model"  # in a run, its `final`, and a bundle
ERRORS_ONLY = 2  # SentencePiece's log level


class SubwordsConfig(Strict):
    """The `subwords` section of a recipe."""

    vocab_size: int = Field(8000, ge=8, description="pieces of both languages together")
    model_type: Literal["bpe", "unigram"] = "bpe"
    character_coverage: float = Field(
        1.0, gt=0.9, le=1, description="share of characters with a piece; 0.9995 for Chinese"
    )
    byte_fallback: bool = Field(False, description="spell unknown characters in bytes")
    split_digits: bool = Field(False, description="each digit a piece of its own")
    tags: tuple[str, ...] = Field(
        (), description="marks that are one piece each, as `<BT>` before back-translated sources"
    )
    sample: int = Field(
        2_000_000,
        ge=1,
        description="sentences of both sides that pieces are learnt from; of a larger corpus they "
        "are drawn at random",
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="BPE-dropout: probability that training leaves a merge of two pieces out; 0.1 "
        "makes sentences about two fifths longer",
    )
    model: Path | None = Field(
        None,
        description="take the pieces of this SentencePiece file, run or bundle instead of learning "
        "any, as a student does from its teacher; the keys that steer learning say nothing then",
    )

    @model_validator(mode="after")
    def _drops_merges(self) -> "SubwordsConfig":
        if self.dropout and self.model is None and self.model_type != "bpe":
            raise ValueError("dropout leaves out merges, which only model_type bpe has")
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, values_of: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A size that nobody gave is not that of given pieces, and so not written out."""
        values: dict[str, Any] = values_of(self)
        if self.model is not None and "vocab_size" not in self.model_fields_set:
            del values["vocab_size"]
        return values


def read_subwords(config: SubwordsConfig) -> Tokenizer:
    """The vocabulary that `config.model` names.

    Raises:
        BundleError: there is none, or its special ids are not ours.
        ConfigError: the recipe names another vocab_size than it has, or wants merges left out that
            it does not make.
    """
    path = (config.model or Path()).expanduser()
    tokenizer = Tokenizer.load(path / MODEL_FILE if path.is_dir() else path)
    if "vocab_size" in config.model_fields_set and config.vocab_size != tokenizer.vocab_size:
        raise ConfigError(
            f"subwords.vocab_size: {config.vocab_size}, but {config.model} has "
            f"{tokenizer.vocab_size} pieces; write that number, or none"
        )
    if config.dropout and not tokenizer.has_merges:
        raise ConfigError(
            f"subwords.dropout: {config.dropout:g} leaves out merges, but the pieces of "
            f"{config.model} are no BPE and have none; remove it, or take other pieces"
        )
    return tokenizer


def train_subwords(texts: Iterable[str], config: SubwordsConfig) -> Tokenizer:
    """Learn subwords from texts of both languages, of the training side only.

    Of more than `config.sample` texts a random sample is used, the same one every time. The same
    texts in the same order give the same bytes. Normalisation is NFKC with white space
    folded (`nmt_nfkc`), Kudo and Richardson 2018.

    Raises:
        CorpusError: there is no text.
        ConfigError: vocab_size does not fit these texts; says which size would.
    """
    sentences = _Sentences(_sampled(texts, config.sample))
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=config.vocab_size,
            model_type=config.model_type,
            character_coverage=config.character_coverage,
            byte_fallback=config.byte_fallback,
            split_digits=config.split_digits,
            user_defined_symbols=list(config.tags),
            normalization_rule_name="nmt_nfkc",
            pad_id=PAD_ID,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            num_threads=1,  # more threads, other sums: other bytes
            minloglevel=ERRORS_ONLY,
        )
    except RuntimeError as error:
        raise sentences.failure or _explain(str(error), sentences, config) from None
    return Tokenizer(model.getvalue())


def _sampled(texts: Iterable[str], size: int) -> Iterator[str]:
    """All texts in their order, or where they are more, so many (Vitter 1985, algorithm R)."""
    draw, stream = random.Random(size), iter(texts)  # nosec B311 # no secret
    kept = list(islice(stream, size))
    for number, text in enumerate(stream, start=size + 1):
        if (place := draw.randrange(number)) < size:
            kept[place] = text
    yield from kept


class _Sentences:
    """Texts on their way into SentencePiece, which turns every exception here into its own."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = texts
        self.any = False
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            for text in self._texts:
                self.any = self.any or bool(text.strip())
                yield text
        except Exception as error:
            self.failure = error
            raise


def _explain(message: str, sentences: _Sentences, config: SubwordsConfig) -> Exception:
    """SentencePiece's complaint in the recipe's words."""
    if not sentences.any:
        return CorpusError("no text to learn subwords from; the training corpus is empty")
    asked = f"subwords.vocab_size: {config.vocab_size}"
    if largest := re.search(r"size too high .* value <= (\d+)", message):
        return ConfigError(
            f"{asked} is more than this corpus supports; the largest that works is {largest[1]}"
        )
    if needed := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return ConfigError(
            f"{asked} is too small for the characters of this corpus alone; "
            f"the smallest that works is {needed[1]}, or lower subwords.character_coverage"
        )
    return ConfigError(f"subwords: SentencePiece refuses ({' '.join(message.split())})")
