"""What must hold of every family for any sentences: who else is in the batch changes nothing."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID
from tests.tiny_hybrid import HYBRID, tiny_hybrid
from tests.tiny_models import (
    TRANSFORMER_VARIANTS,
    tiny_decoder_only,
    tiny_gru,
    tiny_transformer,
)
from tests.tiny_recurrent import RECURRENT, tiny_recurrent
from training.models.seq2seq import Seq2Seq

Build = Callable[[int], Seq2Seq]
Sentences = list[list[int]]

FAMILIES: dict[str, Build] = {
    "transformer": tiny_transformer,
    "transformer-pre": lambda seed: tiny_transformer(seed, norm="pre", activation="gelu"),
    "transformer-untied": lambda seed: tiny_transformer(seed, tie_embeddings="none"),
    **{name: partial(tiny_transformer, **v) for name, v in TRANSFORMER_VARIANTS.items()},
    "decoder-only": tiny_decoder_only,
    "decoder-only-causal": lambda seed: tiny_decoder_only(seed, source_mask="causal"),
    "gru": tiny_gru,
    "gru-untied": lambda seed: tiny_gru(seed, tie_embeddings="none"),
    "gru-no-attention": lambda seed: tiny_gru(seed, attention="none"),
    "gru-layer-norm": lambda seed: tiny_gru(seed, layer_norm=True),
    **{f"recurrent-{name}": partial(tiny_recurrent, **v) for name, v in RECURRENT.items()},
    **{name: partial(tiny_hybrid, **changes) for name, changes in HYBRID.items()},
}
FIXED_CONTEXT = [build for name, build in FAMILIES.items() if "no-attention" in name]
all_families = pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)

words = st.integers(EOS_ID + 1, 19)
sentence = st.lists(words, max_size=6).map(lambda ids: [*ids, EOS_ID])
prefix = st.lists(words, max_size=5).map(lambda ids: [BOS_ID, *ids])
seeds = st.integers(0, 5)
few = settings(max_examples=12, deadline=None)


def pad(rows: Sentences, extra: int = 0) -> Tensor:
    width = max(map(len, rows)) + extra
    return torch.tensor([[*row, *[PAD_ID] * (width - len(row))] for row in rows])


def logits_of(model: Seq2Seq, src: list[int], tgt_in: list[int]) -> Tensor:
    """Logits (tgt_len, vocab) of one pair that has the batch to itself."""
    return model(pad([src]), pad([tgt_in]))[0]  # type: ignore[no-any-return]


@all_families
@few
@given(
    seed=seeds,
    pairs=st.lists(st.tuples(sentence, prefix), min_size=1, max_size=4),
    extra=st.integers(0, 3),
)
def test_padding_order_and_neighbours_change_nothing(
    build: Build, seed: int, pairs: list[tuple[list[int], list[int]]], extra: int
) -> None:
    model = build(seed).double()
    together = model(pad([s for s, _ in pairs], extra), pad([t for _, t in pairs], extra))
    for (src, tgt_in), logits in zip(pairs, together, strict=True):
        torch.testing.assert_close(logits[: len(tgt_in)], logits_of(model, src, tgt_in))


@all_families
@few
@given(seed=seeds, src=sentence, tgt_in=prefix, new=words, data=st.data())
def test_causal_mask_leaks_nothing(
    build: Build, seed: int, src: list[int], tgt_in: list[int], new: int, data: st.DataObject
) -> None:
    model = build(seed)
    place = data.draw(st.integers(0, len(tgt_in) - 1))
    changed = [*tgt_in[:place], new, *tgt_in[place + 1 :]]
    before, after = logits_of(model, src, tgt_in), logits_of(model, src, changed)
    assert torch.equal(before[:place], after[:place])
    assert torch.equal(before[place], after[place]) == (tgt_in[place] == new)


@all_families
@few
@given(
    seed=seeds,
    sources=st.lists(sentence, min_size=1, max_size=3),
    tgt_in=st.lists(words, max_size=6).map(lambda ids: [BOS_ID, *ids]),
)
def test_cached_step_equals_full_forward(
    build: Build, seed: int, sources: Sentences, tgt_in: list[int]
) -> None:
    model = build(seed).double()
    src = pad(sources)
    full = model(src, torch.tensor([tgt_in] * len(sources)))
    encoded = model.encode(src)
    state = encoded.state
    for t, last in enumerate(tgt_in):
        last_ids = torch.full((len(sources),), last)
        with torch.no_grad():
            step = model.step(last_ids, state, encoded.memory, encoded.src_mask)
        torch.testing.assert_close(step.logits, full[:, t])
        state = step.state
        assert state["positions"].tolist() == [t + 1] * len(sources)
        assert all(state[name].shape[-2] == t + 1 for name in model.caches)


@all_families
@few
@given(seed=seeds, sources=st.lists(sentence, min_size=1, max_size=4), extra=st.integers(0, 2))
def test_attention_is_a_distribution_over_real_tokens(
    build: Build, seed: int, sources: Sentences, extra: int
) -> None:
    model = build(seed)
    encoded = model.encode(pad(sources, extra))
    last_ids = torch.full((len(sources),), BOS_ID)
    attention = model.step(last_ids, encoded.state, encoded.memory, encoded.src_mask).attention
    if build in FIXED_CONTEXT:
        assert attention is None
        return
    assert attention is not None
    assert attention.shape == encoded.src_mask.shape
    assert (attention[~encoded.src_mask] == 0).all()
    torch.testing.assert_close(attention.sum(1), torch.ones(len(sources)))


@all_families
@few
@given(seed=seeds, sources=st.lists(sentence, min_size=2, max_size=2), tgt_in=prefix)
def test_layers_remember_nothing(
    build: Build, seed: int, sources: Sentences, tgt_in: list[int]
) -> None:
    model = build(seed)
    first = model.encode(pad(sources[:1]))
    before = model.decode(first, pad([tgt_in]))
    other = model.encode(pad(sources[1:]))
    model.step(torch.tensor([BOS_ID]), other.state, other.memory, other.src_mask)
    model.step(torch.tensor([BOS_ID]), first.state, first.memory, first.src_mask)
    assert torch.equal(model.decode(first, pad([tgt_in])), before)


@all_families
@few
@given(seed=seeds, src=sentence, tgt_in=prefix)
def test_every_parameter_learns(build: Build, seed: int, src: list[int], tgt_in: list[int]) -> None:
    model = build(seed)
    # at least two steps and two words, so that recurrences and queries have something to learn
    logits = model(pad([[4, *src]]), pad([[*tgt_in, 5]]))
    logits.logsumexp(-1).sum().backward()
    idle = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert idle == set()
