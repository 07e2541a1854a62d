import numpy as np
import pytest

from mt.errors import EngineError
from mt.graph_signature import SRC_MASK
from serving.encoder_memory import EncoderMemory

AXES = {"memory.keys": 2, SRC_MASK: 1}


def encoded(*lengths: int, fill: float = 1.0) -> dict[str, np.ndarray]:
    """A batch of sentences of these lengths: keys (batch, 2, src_len, 3) and mask."""
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    keys = np.full((len(lengths), 2, max(lengths), 3), fill, np.float32)
    return {"memory.keys": keys, SRC_MASK: mask}


def test_sentences_are_padded_to_the_longest() -> None:
    memory = EncoderMemory(AXES)
    memory.admit([10], encoded(2))
    memory.admit([11, 12], encoded(4, 1, fill=2.0))
    tensors = memory.tensors()
    assert tensors["memory.keys"].shape == (3, 2, 4, 3)
    assert tensors["memory.keys"][0, 0, :, 0].tolist() == [1, 1, 0, 0]
    assert tensors[SRC_MASK].sum(1).tolist() == [2, 4, 1]
    assert memory.places(np.array([12, 10])).tolist() == [2, 0]


def test_padding_leaves_with_the_sentence_that_needed_it() -> None:
    memory = EncoderMemory(AXES)
    memory.admit([1, 2, 3], encoded(5, 2, 3))
    memory.tensors()
    memory.retire([1])
    assert memory.tensors()["memory.keys"].shape == (2, 2, 3, 3)
    assert memory.places(np.array([3])).tolist() == [1]


def test_a_sentence_may_leave_before_it_was_ever_read() -> None:
    memory = EncoderMemory(AXES)
    memory.admit([1, 2], encoded(1, 2))
    memory.retire([2])
    assert memory.tensors()[SRC_MASK].shape == (1, 1)
    memory.retire([1])
    assert memory.tensors() == {}
    assert memory.n_sentences == 0


def test_nothing_is_copied_while_nobody_comes_or_goes() -> None:
    memory = EncoderMemory(AXES)
    memory.admit([1], encoded(3))
    first = memory.tensors()
    assert memory.tensors()["memory.keys"] is first["memory.keys"]


def test_an_unknown_slot_is_an_error() -> None:
    memory = EncoderMemory(AXES)
    memory.admit([1], encoded(3))
    memory.tensors()
    with pytest.raises(EngineError, match="slot 7 is not running"):
        memory.places(np.array([7]))
