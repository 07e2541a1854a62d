"""The reference stepper's edges: order, suppression, attention, modes, and misuse."""

import numpy as np
import pytest
import torch

from mt.errors import EngineError, InputError
from mt.stepper import Rows, Stepper
from mt.tokenizer import BOS_ID
from tests.tiny_models import tiny_gru, tiny_transformer
from training.models.seq2seq import Encoded, Seq2Seq, Step, Tensors
from training.stepper import TorchStepper


def first(*slots: int) -> Rows:
    """The first rows of sentences just admitted."""
    count = len(slots)
    return Rows(np.array(slots), np.full(count, -1), np.full(count, BOS_ID))


class Fixed(Seq2Seq):
    """The same logits after every prefix."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits, dtype=torch.float32))
        self.vocab_size = len(logits)

    def encode(self, src: torch.Tensor) -> Encoded:
        return Encoded({}, src != 0, {"positions": torch.zeros(len(src), dtype=torch.int64)})

    def decode(self, encoded: Encoded, tgt_in: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def project(self, hidden: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def step(
        self, last_ids: torch.Tensor, state: Tensors, memory: Tensors, src_mask: torch.Tensor
    ) -> Step:
        return Step(self.logits.expand(len(last_ids), -1), state, None)


def test_best_come_first_without_the_suppressed() -> None:
    stepper: Stepper = TorchStepper(Fixed([9, 9, 9, np.log(2), 0, np.log(5), 8]), (0, 1, 2, 6))
    output = stepper.step(first(*stepper.admit([[3]])), k=3)
    assert output.ids.tolist() == [[5, 3, 4]]
    np.testing.assert_allclose(np.exp(output.log_probs), [[5 / 8, 2 / 8, 1 / 8]], rtol=1e-6)
    assert output.ids.dtype == np.int64
    assert output.log_probs.dtype == np.float32
    assert output.attention is None


def test_equals_come_by_id() -> None:
    stepper = TorchStepper(Fixed([0, 0, 0, 1, 2, 1, 2]))
    output = stepper.step(first(*stepper.admit([[3]])), k=4)
    assert output.ids.tolist() == [[4, 6, 3, 5]]


def test_k_beyond_the_vocabulary_gives_the_whole_of_it() -> None:
    stepper = TorchStepper(Fixed([0, 0, 0, 1, 2]))
    output = stepper.step(first(*stepper.admit([[3]])), k=100)
    assert output.ids.tolist() == [[4, 3, 0, 1, 2]]
    assert output.log_probs[0, 2:].tolist() == [-np.inf] * 3


def test_attention_comes_when_asked_for_and_is_as_wide_as_the_longest_source() -> None:
    stepper = TorchStepper(tiny_transformer())
    slots = stepper.admit([[5, 3], [5, 6, 7, 3]])
    attention = stepper.step(first(*slots), k=1, with_attention=True).attention
    assert attention is not None
    assert attention.dtype == np.float32
    assert (attention > 0).tolist() == [[True, True, False, False], [True] * 4]
    stepper.retire(slots[1:])
    rows = Rows(np.array(slots[:1]), np.array([0]), np.array([5]))
    attention = stepper.step(rows, k=1, with_attention=True).attention
    assert attention is not None
    assert attention.shape == (1, 2)


def test_a_model_without_attention_gives_none() -> None:
    stepper = TorchStepper(tiny_gru(attention="none"))
    assert stepper.step(first(*stepper.admit([[5, 3]])), 1, with_attention=True).attention is None


@pytest.mark.parametrize("training", [True, False])
def test_a_model_in_training_decodes_without_dropout_and_trains_on(training: bool) -> None:
    calm, busy = tiny_gru(), tiny_gru().train(training)
    outputs = []
    for model in (calm, busy):
        stepper = TorchStepper(model)
        outputs.append(stepper.step(first(*stepper.admit([[5, 6, 3]])), k=5).log_probs)
    assert outputs[0].tolist() == outputs[1].tolist()
    assert all(module.training == training for module in busy.modules())


def test_slots_are_never_used_again() -> None:
    stepper = TorchStepper(tiny_gru())
    assert stepper.admit([[5, 3], [6, 3]]) == [0, 1]
    stepper.retire([0, 1])
    stepper.retire([0])  # already gone
    assert stepper.admit([]) == []
    assert stepper.admit([[5, 3]]) == [2]
    assert stepper.vocab_size == 20


@pytest.mark.parametrize("src_ids", [[[5, 3], []], [[5, 20, 3]], [[-1, 3]]])
def test_sentences_that_are_no_ids_are_refused(src_ids: list[list[int]]) -> None:
    stepper = TorchStepper(tiny_gru())
    with pytest.raises(InputError, match=r"no tokens|not in the vocabulary of 20"):
        stepper.admit(src_ids)
    assert stepper.admit([[5, 3]]) == [0]


def test_stepping_what_is_not_running_is_an_error() -> None:
    stepper = TorchStepper(tiny_gru())
    with pytest.raises(EngineError, match="no sentence is running"):
        stepper.step(first(0), k=1)
    slots = stepper.admit([[5, 3], [6, 3]])
    stepper.retire(slots[:1])
    with pytest.raises(EngineError, match="sentence 0 is not running"):
        stepper.step(first(*slots), k=1)
    assert stepper.step(first(slots[1]), k=1).ids.shape == (1, 1)
