import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece

from mt.config import validate
from mt.errors import BundleError, ConfigError, CorpusError
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, SPECIAL_IDS, UNK_ID
from training import subwords
from training.subwords import SubwordsConfig, read_subwords, train_subwords

TEXTS = [
    "A little house stands on the hill.",
    "Ein kleines Haus steht auf dem Hügel.",
    "Two men are walking over the bridge.",
    "Zwei Männer gehen über die Brücke.",
] * 5

MODEL_TYPES = pytest.mark.parametrize("model_type", ["bpe", "unigram"])


def config(**settings: object) -> SubwordsConfig:
    return validate({"vocab_size": 50, **settings}, SubwordsConfig, "test")


@MODEL_TYPES
def test_one_vocabulary_of_the_size_asked_for_spells_both_languages(model_type: str) -> None:
    tokenizer = train_subwords(TEXTS, config(model_type=model_type))
    assert tokenizer.vocab_size == 50
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert not set(ids) & set(SPECIAL_IDS)
        assert tokenizer.decode(ids) == text


@MODEL_TYPES
def test_same_texts_same_bytes(model_type: str) -> None:
    models = {train_subwords(iter(TEXTS), config(model_type=model_type)).model for _ in range(2)}
    assert len(models) == 1


def test_text_is_normalised() -> None:
    tokenizer = train_subwords(TEXTS, config())
    assert tokenizer.encode("The\u00a0  ﬁne\u200b hill") == tokenizer.encode("The fine hill")
    assert tokenizer.decode(tokenizer.encode("A u\u0308")) == "A ü"


@MODEL_TYPES
def test_vocabulary_larger_than_the_corpus_says_the_largest_that_works(model_type: str) -> None:
    with pytest.raises(ConfigError, match=r"subwords\.vocab_size: 9999 .* works is \d+$") as caught:
        train_subwords(TEXTS, config(vocab_size=9999, model_type=model_type))
    largest = int(str(caught.value).rsplit(" ", 1)[1])
    tokenizer = train_subwords(TEXTS, config(vocab_size=largest, model_type=model_type))
    assert tokenizer.vocab_size == largest


def test_vocabulary_too_small_for_the_characters_says_the_smallest_that_works() -> None:
    with pytest.raises(ConfigError, match=r"subwords\.vocab_size: 10 is too small") as caught:
        train_subwords(TEXTS, config(vocab_size=10))
    smallest = int(str(caught.value).split("works is ")[1].split(",")[0])
    assert train_subwords(TEXTS, config(vocab_size=smallest)).vocab_size == smallest


def test_characters_unknown_to_the_corpus_are_spelled_in_bytes_only_if_asked() -> None:
    plain = train_subwords(TEXTS, config())
    spelled = train_subwords(TEXTS, config(vocab_size=310, byte_fallback=True))
    assert UNK_ID in plain.encode("щ")
    assert UNK_ID not in spelled.encode("щ")
    assert spelled.decode(spelled.encode("щ")) == "щ"


def test_rare_characters_lose_their_piece_below_full_coverage() -> None:
    texts = [*TEXTS * 50, "ж"]
    assert UNK_ID not in train_subwords(texts, config()).encode("ж")
    assert UNK_ID in train_subwords(texts, config(character_coverage=0.999)).encode("ж")


def test_split_digits() -> None:
    tokenizer = train_subwords(
        ["in 1999 or in 1998"] * 20, config(vocab_size=16, split_digits=True)
    )
    assert [piece for piece in tokenizer.pieces(tokenizer.encode("1999")) if len(piece) > 1] == []


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_empty_corpus(texts: list[str]) -> None:
    with pytest.raises(CorpusError, match="no text to learn subwords from"):
        train_subwords(texts, config())


def test_an_error_while_reading_stays_what_it_was() -> None:
    def broken() -> Iterator[str]:
        yield from TEXTS
        raise CorpusError("a.en, line 7: not valid UTF-8")

    with pytest.raises(CorpusError, match="line 7"):
        train_subwords(broken(), config())


def test_sentencepiece_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    train_subwords(TEXTS, config())
    with pytest.raises(ConfigError):
        train_subwords(TEXTS, config(vocab_size=9999))
    sys.stderr.flush()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("key", "value"), [("vocab_size", 0), ("model_type", "word"), ("character_coverage", 0)]
)
def test_settings_out_of_range_are_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        config(**{key: value})


def test_only_merges_can_be_dropped() -> None:
    with pytest.raises(ConfigError, match="dropout leaves out merges, which only model_type bpe"):
        config(model_type="unigram", dropout=0.1)
    config(model_type="unigram")


def test_pieces_are_taken_from_a_file_or_from_a_folder_that_holds_one(tmp_path: Path) -> None:
    taught = train_subwords(TEXTS, config())
    (tmp_path / "tokenizer.model").write_bytes(taught.model)
    for path in (tmp_path, tmp_path / "tokenizer.model"):
        chosen = validate({"model": str(path)}, SubwordsConfig, "test")
        assert read_subwords(chosen).model == taught.model
    assert read_subwords(config(vocab_size=50, model=str(tmp_path))).vocab_size == 50


def test_a_size_that_nobody_gave_is_not_written_out_beside_given_pieces(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train_subwords(TEXTS, config()).model)
    taken = validate({"model": str(tmp_path)}, SubwordsConfig, "test")
    again = validate(taken.model_dump(mode="json"), SubwordsConfig, "test")
    assert read_subwords(again).vocab_size == 50
    assert config(model=str(tmp_path)).model_dump()["vocab_size"] == 50
    assert SubwordsConfig().model_dump()["vocab_size"] == 8000


def test_another_vocabulary_size_than_the_taken_model_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(train_subwords(TEXTS, config()).model)
    with pytest.raises(ConfigError, match=r"vocab_size: 60, but .* has 50 pieces"):
        read_subwords(config(vocab_size=60, model=str(tmp_path)))


def test_given_pieces_without_merges_have_none_to_drop(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.model"
    file.write_bytes(train_subwords(TEXTS, config()).model)
    assert read_subwords(config(dropout=0.1, vocab_size=50, model=str(file))).has_merges
    for model in (train_subwords(TEXTS, config(model_type="unigram")).model, _characters()):
        file.write_bytes(model)
        taken = validate({"dropout": 0.1, "model": str(file)}, SubwordsConfig, "test")
        with pytest.raises(ConfigError, match=r"subwords\.dropout: 0\.1 .* have none"):
            read_subwords(taken)
        assert not read_subwords(taken.model_copy(update={"dropout": 0.0})).has_merges


def _characters() -> bytes:
    """Pieces that no recipe can learn but may be given: a character each."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        model_type="char",
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
    )
    return model.getvalue()


def test_a_model_to_take_pieces_from_must_be_there_and_be_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.model cannot be read"):
        read_subwords(config(model=str(tmp_path / "gone.model")))
    (tmp_path / "text").write_text("no model")
    with pytest.raises(BundleError, match="text is not a SentencePiece model"):
        read_subwords(config(model=str(tmp_path / "text")))


def test_of_many_texts_a_sample_is_learnt_from() -> None:
    texts = [f"the {animal} sees the {colour} house" for animal in "abc" for colour in "xyz"]
    kept = list(subwords._sampled(texts * 20, 30))
    assert len(kept) == 30
    assert kept == list(subwords._sampled(texts * 20, 30))
    assert kept != (texts * 20)[:30]
    assert list(subwords._sampled(texts, 9)) == texts
    config = SubwordsConfig(vocab_size=30, sample=5)
    assert train_subwords(texts * 20, config).vocab_size == 30
