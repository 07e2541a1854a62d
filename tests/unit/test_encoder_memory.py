import numpy as np

from mt.graph_signature import SRC_MASK
from serving.steps.encoder_memory import EncoderMemory
from serving.steps.padding import VECTOR

AXES = {"memory.keys": 2, SRC_MASK: 1}


def encoded(*lengths: int, fill: float = 1.0) -> dict[str, np.ndarray]:
    """A batch of sentences of these lengths: keys (batch, 2, src_len, 3) and mask."""
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    keys = np.full((len(lengths), 2, max(lengths), 3), fill, np.float32) * mask[:, None, :, None]
    return {"memory.keys": keys.astype(np.float32), SRC_MASK: mask}


def admit(memory: EncoderMemory, places: list[int], *lengths: int, fill: float = 1.0) -> None:
    memory.admit(np.array(places), encoded(*lengths, fill=fill))


def row(memory: EncoderMemory, place: int) -> list[float]:
    keys: list[float] = memory.tensors["memory.keys"][place, 0, :, 0].tolist()
    return keys


def test_sentences_are_padded_to_whole_vectors() -> None:
    memory = EncoderMemory(AXES)
    admit(memory, [0], 2)
    assert row(memory, 0) == [1, 1] + (VECTOR - 2) * [0]
    admit(memory, [1, 2], VECTOR + 1, 1, fill=2.0)
    assert memory.tensors["memory.keys"].shape == (3, 2, 2 * VECTOR, 3)
    assert row(memory, 0) == [1, 1] + (2 * VECTOR - 2) * [0]
    assert memory.tensors[SRC_MASK].sum(1).tolist() == [2, VECTOR + 1, 1]
    assert memory.longest == VECTOR + 1


def test_nothing_of_the_last_sentence_stays_in_a_place() -> None:
    memory = EncoderMemory(AXES)
    admit(memory, [0, 1], 7, 6)
    memory.retire(np.array([0]))
    admit(memory, [0], 3, fill=5.0)
    assert row(memory, 0) == [5, 5, 5] + (VECTOR - 3) * [0]
    assert memory.tensors[SRC_MASK][0].tolist() == 3 * [True] + (VECTOR - 3) * [False]
    assert row(memory, 1)[:6] == 6 * [1]


def test_padding_leaves_after_the_sentence_that_needed_it() -> None:
    memory = EncoderMemory(AXES)
    admit(memory, [0, 1], 40, 2)
    memory.retire(np.array([0]))
    assert memory.longest == 2
    admit(memory, [0], 5)
    assert memory.tensors["memory.keys"].shape == (2, 2, VECTOR, 3)


def test_those_who_stay_move_together() -> None:
    memory = EncoderMemory(AXES)
    admit(memory, [0, 1, 2], 1, 2, 3)
    memory.retire(np.array([1]))
    memory.pack(np.array([0, 2]))
    assert memory.tensors[SRC_MASK].sum(1).tolist() == [1, 3]
    admit(memory, [2], 4)
    assert memory.tensors[SRC_MASK].sum(1).tolist() == [1, 3, 4]


def test_all_may_leave_before_others_come() -> None:
    memory = EncoderMemory(AXES)
    admit(memory, [0], 3)
    memory.retire(np.array([0]))
    memory.pack(np.array([], np.int64))
    admit(memory, [0, 1], 2, 4)
    assert memory.tensors[SRC_MASK].sum(1).tolist() == [2, 4]


def test_the_arrays_stay_while_others_take_free_places() -> None:
    """So that they need not be bound again."""
    memory = EncoderMemory(AXES)
    admit(memory, [0, 1], 8, 7)
    first = memory.tensors["memory.keys"]
    memory.retire(np.array([1]))
    admit(memory, [1], 6)
    assert memory.tensors["memory.keys"] is first
