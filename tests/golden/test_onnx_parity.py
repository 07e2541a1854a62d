"""The ONNX graphs, cached and batched, translate token for token as the models in PyTorch."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mt.beam_search import Finished, Hypothesis, Job, RunningBatch, SearchOptions, search
from mt.stepper import Rows, Stepper
from mt.tokenizer import BOS_ID, EOS_ID
from serving.onnx_stepper import open_stepper
from tests.tiny_bundle import TOKENIZER, VOCAB_SIZE, random_sources, write_tiny_bundle
from tests.tiny_hybrid import HYBRID, tiny_hybrid
from tests.tiny_models import TRANSFORMER_VARIANTS, tiny_decoder_only, tiny_gru, tiny_transformer
from tests.tiny_recurrent import RECURRENT, tiny_recurrent
from training.models.gru import GRU, GRUConfig
from training.models.recurrent import Recurrent, RecurrentConfig
from training.models.seq2seq import Seq2Seq
from training.models.transformer import Transformer
from training.models.transformer_config import TransformerConfig
from training.stepper import TorchStepper

Pair = tuple[Stepper, Stepper]
TOLERANCE = 1e-4  # nats
SOURCES = random_sources(seed=1, count=24)


def transformer(**changes: Any) -> Seq2Seq:
    return tiny_transformer(vocab_size=VOCAB_SIZE, **changes)


def gru(**changes: Any) -> Seq2Seq:
    return tiny_gru(vocab_size=VOCAB_SIZE, **changes)


def decoder_only(**changes: Any) -> Seq2Seq:
    return tiny_decoder_only(vocab_size=VOCAB_SIZE, **changes)


def recurrent(**changes: Any) -> Seq2Seq:
    return tiny_recurrent(vocab_size=VOCAB_SIZE, **changes)


def hybrid(**changes: Any) -> Seq2Seq:
    return tiny_hybrid(vocab_size=VOCAB_SIZE, **changes)


MODELS: dict[str, Callable[[], Seq2Seq]] = {
    "transformer": transformer,
    "pre-norm": lambda: transformer(norm="pre", activation="gelu", tie_embeddings="none"),
    "uneven": lambda: transformer(
        encoder_layers=3, decoder_layers=1, n_heads=4, tie_embeddings="two-way"
    ),
    **{name: partial(transformer, **changes) for name, changes in TRANSFORMER_VARIANTS.items()},
    "decoder-only": decoder_only,
    "decoder-only-rotary": lambda: decoder_only(positions="rotary", source_mask="causal"),
    "gru": gru,
    "gru-untied": lambda: gru(tie_embeddings="none"),
    "gru-no-attention": lambda: gru(attention="none"),
    "gru-layer-norm": lambda: gru(layer_norm=True),
    "gru-layer-norm-no-attention": lambda: gru(layer_norm=True, attention="none"),
    **{f"recurrent-{name}": partial(recurrent, **changes) for name, changes in RECURRENT.items()},
    **{name: partial(hybrid, **changes) for name, changes in HYBRID.items()},
}
ATTENTIVE = (
    "transformer",
    "decoder-only",
    "gru",
    "gru-layer-norm",
    "recurrent-lstm-deep",
    "hybrid",
)


def steppers(model: Seq2Seq, folder: Path) -> Pair:
    """The reference and the graphs of one model."""
    bundle = write_tiny_bundle(folder / "bundle", model)
    return TorchStepper(model, TOKENIZER.never_emitted()), open_stepper(bundle)


@pytest.fixture(params=MODELS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    return steppers(MODELS[request.param](), tmp_path)


@pytest.fixture(params=ATTENTIVE)
def attentive(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    return steppers(MODELS[request.param](), tmp_path)


def assert_same(found: list[list[Hypothesis]], wanted: list[list[Hypothesis]]) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        assert [h.ids for h in ours] == [h.ids for h in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert a.token_log_probs == pytest.approx(b.token_log_probs, abs=TOLERANCE)


@pytest.mark.parametrize("beam_size", [1, 5])
def test_translations_are_those_of_pytorch(pair: Pair, beam_size: int) -> None:
    reference, graphs = pair
    options = SearchOptions(beam_size=beam_size, n_best=beam_size, max_length=20)
    assert_same(search(graphs, SOURCES, options), search(reference, SOURCES, options))


def test_sentences_that_join_mid_flight_change_nothing(pair: Pair) -> None:
    """Rows of all ages side by side: the old leave, the new come, three at a time."""
    reference, graphs = pair
    options = SearchOptions(beam_size=4, max_length=20)
    wanted = search(reference, SOURCES, options)
    assert_same(search(graphs, SOURCES, options, max_rows=12), wanted)
    alone = [search(graphs, [source], options)[0] for source in SOURCES[:6]]
    assert_same(alone, wanted[:6])


def test_sentences_of_different_beams_run_together(attentive: Pair) -> None:
    options = [SearchOptions(beam_size=b, max_length=20) for b in (1, 5, 2, 3)]
    jobs = [Job(i, source, options[i % 4]) for i, source in enumerate(SOURCES[:12])]
    found, wanted = ([one.hypotheses for one in run_all(stepper, jobs)] for stepper in attentive)
    assert_same(found, wanted)


def test_samples_are_those_of_pytorch(pair: Pair) -> None:
    """Beside searches, and from several first rows of a sentence on."""
    drawn, searched = SearchOptions(samples=3, max_length=20), SearchOptions(max_length=20)
    jobs = [Job(i, source, (drawn, searched)[i % 2]) for i, source in enumerate(SOURCES[:8])]
    found, wanted = ([one.hypotheses for one in run_all(stepper, jobs)] for stepper in pair)
    assert_same(found, wanted)
    assert len({tuple(one.ids) for one in found[0]}) > 1


def run_all(stepper: Stepper, jobs: list[Job]) -> list[Finished]:
    """Admit one more job at each step until all are finished, in the order of their keys."""
    batch, waiting, finished = RunningBatch(stepper), list(jobs), list[Finished]()
    while waiting or batch.sentences:
        if waiting:
            batch.admit([waiting.pop(0)])
        finished += batch.step()
    return sorted(finished, key=lambda one: str(one.key).zfill(3))


def test_attention_is_that_of_pytorch(attentive: Pair) -> None:
    options = SearchOptions(beam_size=3, attention=True, max_length=12)
    found, wanted = (search(stepper, SOURCES, options) for stepper in attentive)
    for (ours, *_), (theirs, *_) in zip(found, wanted, strict=True):
        assert ours.attention is not None
        assert theirs.attention is not None
        np.testing.assert_allclose(ours.attention, theirs.attention, atol=1e-5)
        np.testing.assert_allclose(ours.attention.sum(1), 1.0, atol=1e-5)


def test_attention_is_computed_only_where_asked_for(attentive: Pair) -> None:
    _, graphs = attentive
    slots = graphs.admit([[5, 6, EOS_ID]])
    first = Rows(np.array(slots), np.array([-1]), np.array([BOS_ID]))
    without = graphs.step(first, 3)
    later = graphs.step(Rows(np.array(slots), np.array([0]), without.ids[0, :1]), 3, True)
    assert without.attention is None
    assert later.attention is not None
    assert later.attention.shape == (1, 3)


def test_every_continuation_has_the_log_probability_of_pytorch(pair: Pair) -> None:
    """All of the vocabulary, what must never be emitted included, for rows of three ages."""
    outputs = [walk(stepper) for stepper in pair]
    for reference, graphs in zip(*outputs, strict=True):
        np.testing.assert_allclose(graphs, reference, atol=TOLERANCE)


@pytest.mark.parametrize("attention", ["none", "bahdanau", "dot", "general"])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
def test_every_cell_and_attention_has_the_log_probabilities_of_pytorch(
    cell: str, attention: str, tmp_path: Path
) -> None:
    model = recurrent(cell=cell, attention=attention, encoder_layers=2, decoder_layers=2)
    outputs = [walk(stepper) for stepper in steppers(model, tmp_path)]
    for reference, graphs in zip(*outputs, strict=True):
        np.testing.assert_allclose(graphs, reference, atol=TOLERANCE)


def walk(stepper: Stepper) -> list[np.ndarray]:
    """Log-probabilities by id (rows, vocab) of four steps, with sentences that come and go."""
    a, b = stepper.admit([[5, 6, 7, EOS_ID], [8, EOS_ID]])
    steps = [Rows(np.array([a, b]), np.array([-1, -1]), np.array([BOS_ID, BOS_ID]))]
    outputs = [stepper.step(steps[0], stepper.vocab_size)]
    rows = Rows(np.array([a, a, b]), np.array([0, 0, 1]), np.array([9, 10, 11]))
    outputs.append(stepper.step(rows, stepper.vocab_size))
    (c,) = stepper.admit([[12, 13, 14, 15, 16, EOS_ID]])
    rows = Rows(np.array([b, c]), np.array([2, -1]), np.array([12, BOS_ID]))
    stepper.retire([a])
    outputs.append(stepper.step(rows, stepper.vocab_size))
    rows = Rows(np.array([b, b, c]), np.array([0, 0, 1]), np.array([13, 4, 14]))
    outputs.append(stepper.step(rows, stepper.vocab_size))
    return [np.take_along_axis(o.log_probs, o.ids.argsort(1), 1) for o in outputs]


PUPILS: dict[str, Callable[[], Seq2Seq]] = {
    "transformer": lambda: Transformer(
        TransformerConfig(
            encoder_layers=1, decoder_layers=1, d_model=32, n_heads=2, d_ff=32, norm="pre"
        ),
        VOCAB_SIZE,
    ),
    "gru": lambda: GRU(
        GRUConfig(embedding_size=24, encoder_size=16, decoder_size=24, attention_size=16),
        VOCAB_SIZE,
    ),
    "gru-layer-norm": lambda: GRU(
        GRUConfig(
            embedding_size=24,
            encoder_size=16,
            decoder_size=24,
            attention_size=16,
            layer_norm=True,
        ),
        VOCAB_SIZE,
    ),
    "recurrent": lambda: Recurrent(
        RecurrentConfig(embedding_size=24, encoder_size=32, decoder_size=64, decoder_layers=2),
        VOCAB_SIZE,
    ),
}


@pytest.mark.parametrize("family", PUPILS)
def test_a_trained_model_answers_the_same(family: str, tmp_path: Path) -> None:
    """Trained until it is sure, ends by itself and is right."""
    model = taught(PUPILS[family])
    reference, graphs = steppers(model, tmp_path)
    sentences = lessons(seed=9, count=40).tolist()
    sources = [[*ids, EOS_ID] for ids in sentences]
    for beam_size in (1, 5):
        options = SearchOptions(beam_size=beam_size)
        wanted = search(reference, sources, options)
        assert_same(search(graphs, sources, options), wanted)
        answers = [best.ids for best, *_ in wanted]
        right = sum(a == [i + 8 for i in ids] for a, ids in zip(answers, sentences, strict=True))
        assert right > 30, f"only {right} of 40 learned: too weak a model to compare"


@pytest.mark.parametrize("family", ["gru", "gru-layer-norm", "recurrent"])
def test_eight_bits_answer_as_a_trained_model_does(family: str, tmp_path: Path) -> None:
    """Linear layers in 8 bits; recurrences of the encoder too, but in 32 where it is a GRU's."""
    model = taught(PUPILS[family])
    pairs = [([*ids, EOS_ID], [BOS_ID, *(i + 8 for i in ids)]) for ids in lessons(4, 50).tolist()]
    bundle = write_tiny_bundle(tmp_path / "bundle", model, pairs)
    sources = [[*ids, EOS_ID] for ids in lessons(seed=9, count=40).tolist()]
    found, wanted = (
        [best.ids for best, *_ in search(stepper, sources, SearchOptions(beam_size=5))]
        for stepper in (open_stepper(bundle, "int8"), TorchStepper(model))
    )
    same = sum(ours == theirs for ours, theirs in zip(found, wanted, strict=True))
    assert same > 35, f"only {same} of 40 alike"


def lessons(seed: int, count: int) -> np.ndarray:
    """Sentences (count, 4) of eight words; their translation is eight ids further up."""
    return np.random.default_rng(seed).integers(40, 48, (count, 4))


def taught(build: Callable[[], Seq2Seq], updates: int = 150, batch: int = 64) -> Seq2Seq:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build().eval()  # no dropout: there is nothing to overfit
    eos, bos = torch.full((batch, 1), EOS_ID), torch.full((batch, 1), BOS_ID)
    optimizer = torch.optim.Adam(model.parameters())
    sources = torch.from_numpy(lessons(seed=3, count=updates * batch)).view(updates, batch, 4)
    for update, source in enumerate(sources):
        optimizer.param_groups[0]["lr"] = 0.01 * min(1, update / 10) * (1 - update / updates)
        target = source + 8
        logits = model(torch.cat((source, eos), 1), torch.cat((bos, target), 1))
        wanted = torch.cat((target, eos), 1).flatten()
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    return model
