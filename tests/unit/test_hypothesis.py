import numpy as np

from mt.hypothesis import History, Survivors, attention_of


def survivors(
    back: list[int], ids: list[int], attention: list[list[float]] | None = None
) -> Survivors:
    return Survivors(
        np.array(back),
        np.array(ids),
        -np.array(ids, np.float64),
        None if attention is None else np.array(attention, np.float32),
        np.arange(len(ids)),
    )


def two_steps() -> History:
    """4 -> 7 and 5 -> 6 in a sentence of two steps; 8 begins another at the second step."""
    history = History()
    history.append(survivors([-1, -1], [4, 5], [[1.0, 0.0], [0.0, 1.0]]))
    history.append(survivors([1, 0, -1], [6, 7, 8], [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]))
    return history


def test_a_path_follows_its_back_pointers() -> None:
    path = two_steps().path(step=1, at=0, length=2)
    assert [record.ids[at] for record, at in path] == [5, 6]


def test_the_path_of_no_tokens_is_empty() -> None:
    assert History().path(step=-1, at=-1, length=0) == []


def test_tokens_of_rows_of_different_age_are_aligned_to_the_right() -> None:
    tokens = two_steps().tokens(np.array([0, 2, -1, 1]))
    assert tokens.tolist() == [[5, 6], [-1, 8], [-1, -1], [4, 7]]


def test_forgotten_steps_still_count() -> None:
    history = two_steps()
    history.forget(before=1)
    assert len(history) == 2
    assert [record.ids[at] for record, at in history.path(step=1, at=2, length=1)] == [8]


def test_attention_is_read_along_the_path_and_cut_to_the_source() -> None:
    history = two_steps()
    found = attention_of(history.path(1, 1, 2), src_len=2)
    assert found is not None
    assert found.tolist() == [[1.0, 0.0], [0.25, 0.75]]
    shorter = attention_of(history.path(1, 2, 1), src_len=1)
    assert shorter is not None
    assert shorter.tolist() == [[1.0]]


def test_a_model_without_attention_leaves_none() -> None:
    history = History()
    history.append(survivors([-1], [4]))
    assert attention_of(history.path(0, 0, 1), src_len=1) is None
