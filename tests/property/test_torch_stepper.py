"""Rows of any age, order and company get the logits that each of them gets alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.stepper import Rows
from mt.tokenizer import BOS_ID, EOS_ID
from tests.tiny_models import tiny_gru, tiny_transformer
from training.models.seq2seq import Seq2Seq
from training.stepper import TorchStepper

MODELS: dict[str, Seq2Seq] = {
    "transformer": tiny_transformer(1),
    "transformer-pre": tiny_transformer(2, norm="pre"),
    "gru": tiny_gru(3),
    "gru-no-attention": tiny_gru(4, attention="none"),
}
SUPPRESSED = (0, 1, 2, 7)
VOCAB = 20

words = st.integers(EOS_ID + 1, VOCAB - 1)
sentence = st.lists(words, max_size=6).map(lambda ids: [*ids, EOS_ID])


def log_probs_alone(model: Seq2Seq, src: list[int], prefix: list[int]) -> torch.Tensor:
    """The slow path: everything anew, nothing cached, no neighbour."""
    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([src]), torch.tensor([prefix]))[0, -1]
    logits[list(SUPPRESSED)] = -torch.inf
    return logits.log_softmax(-1)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_rows_joined_reordered_and_left_alone_are_the_same(
    model: Seq2Seq, data: st.DataObject
) -> None:
    stepper = TorchStepper(model, SUPPRESSED)
    running: dict[int, list[int]] = {}  # source ids by slot
    previous: list[tuple[int, list[int]]] = []  # slot and prefix of each row of the last step
    for _ in range(data.draw(st.integers(1, 5))):
        sources = data.draw(st.lists(sentence, max_size=2, min_size=0 if running else 1))
        running |= zip(stepper.admit(sources), sources, strict=True)
        slots, parents, prefixes = [], [], []
        for slot in data.draw(st.permutations(sorted(running))):
            mine = [i for i, (owner, _) in enumerate(previous) if owner == slot]
            chosen = (
                data.draw(st.lists(st.sampled_from(mine), min_size=1, max_size=3))
                if mine
                else [-1] * data.draw(st.integers(1, 2))
            )
            for parent in chosen:
                last = [BOS_ID] if parent < 0 else [*previous[parent][1], data.draw(words)]
                slots.append(slot)
                parents.append(parent)
                prefixes.append(last)
        last_ids = [prefix[-1] for prefix in prefixes]
        output = stepper.step(Rows(*map(np.array, (slots, parents, last_ids))), VOCAB, True)
        for i, (slot, prefix) in enumerate(zip(slots, prefixes, strict=True)):
            expected = log_probs_alone(model, running[slot], prefix).numpy()
            np.testing.assert_allclose(output.log_probs[i], expected[output.ids[i]], atol=2e-5)
            assert sorted(output.ids[i].tolist()) == list(range(VOCAB))
        previous = list(zip(slots, prefixes, strict=True))
        gone = data.draw(st.lists(st.sampled_from(sorted(running)), unique=True, max_size=2))
        stepper.retire(gone)
        for slot in gone:
            del running[slot]
        if not running:
            previous = []
