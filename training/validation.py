"""The score that chooses checkpoints: the validation split, through the one search."""

from mt.bundle import Score
from training.evaluate import EvaluationConfig, evaluate
from training.models.seq2seq import Seq2Seq, device_of
from training.precision import rows_at_once
from training.prepare import Prepared
from training.stepper import TorchStepper


def validation_scores(model: Seq2Seq, prepared: Prepared, config: EvaluationConfig) -> list[Score]:
    """BLEU and chrF of a model on the validation pairs; the model keeps its mode and weights."""
    found = evaluate(
        TorchStepper(model, prepared.tokenizer.never_emitted()),
        prepared.tokenizer,
        prepared.validation,
        _test_set_name(prepared, config.split),
        config.search,
        config.max_rows or rows_at_once(device_of(model)),
    )
    return found.scores


def _test_set_name(prepared: Prepared, split: str) -> str:
    """How scores name a split: corpus, languages, split."""
    corpus = prepared.corpus
    return f"{corpus.name}:{corpus.source}-{corpus.target}:{split}"
