"""Training repeats itself: stored losses, and accumulation as one larger batch."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny_run import tiny_recipe, write_corpus
from training.batching import Batch, UpdateBatches, collate
from training.prepare import prepare
from training.session import Session
from training.train import train
from training.update import update_weights

# of `test_a_seeded_run_repeats_its_first_losses`; nats per target token
FIRST_LOSSES = [4.94967, 4.8413, 4.51525, 4.60702, 4.3438, 4.30353]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_corpus(tmp_path)
    return tmp_path


def test_a_seeded_run_repeats_its_first_losses(corpus: Path) -> None:
    """Without dropout, whose random stream depends on how PyTorch was built."""
    recipe = tiny_recipe(corpus, **{"model.dropout": 0.0, "training.max_updates": 6})
    train(recipe, corpus / "run")
    text = (corpus / "run" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    losses = [line["loss"] for line in lines if line["kind"] == "training"]
    assert losses == pytest.approx(FIRST_LOSSES, rel=1e-3)


def test_two_accumulated_batches_are_one_of_both(corpus: Path) -> None:
    # a large eps, because Adam makes full steps of gradients that are nothing but rounding
    recipe = tiny_recipe(corpus, **{"model.dropout": 0.0, "optimizer.eps": 0.01})
    prepared = prepare(recipe, corpus / "run", started=None)
    data = prepared.dataset

    def batch(pairs: range) -> Batch:
        return collate([data.src[i] for i in pairs], [data.tgt[i] for i in pairs])

    weights = []
    for batches in ([batch(range(10)), batch(range(10, 40))], [batch(range(40))]):
        session = Session(recipe, corpus / "run", prepared, None)
        updated = update_weights(session, UpdateBatches(batches, 0, 1, 1))
        figures = (float(updated.loss), float(updated.norm))
        weights.append((*figures, session.model.state_dict()))
        assert updated.tokens == sum(data.tgt.lengths[:40])
        assert session.state.update == 1
    assert weights[0][:2] == pytest.approx(weights[1][:2], rel=1e-5)
    for name, tensor in weights[0][2].items():
        torch.testing.assert_close(tensor, weights[1][2][name], rtol=1e-4, atol=1e-5)
