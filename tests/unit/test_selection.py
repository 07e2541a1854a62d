import numpy as np

from mt.selection import Chosen, Contest


def chosen(
    sentence: list[int], beam_size: list[int], so_far: list[float], log_probs: list[list[float]]
) -> Chosen:
    """Candidate j of row i has the id 10 i + j."""
    table = np.array(log_probs)
    ids = 10 * np.arange(len(sentence))[:, None] + np.arange(table.shape[1])
    contest = Contest(np.array(sentence), np.array(beam_size))
    return contest.choose(np.array(so_far), ids, table)


def test_the_best_sums_of_each_sentence_survive_best_first() -> None:
    found = chosen(
        sentence=[0, 0, 1],
        beam_size=[2, 2, 2],
        so_far=[-1.0, -2.0, -9.0],
        log_probs=[[-3.0, -5.0], [-0.5, -2.5], [-1.0, -2.0]],
    )
    assert found.ids.tolist() == [10, 0, 20, 21]
    assert found.totals.tolist() == [-2.5, -4.0, -10.0, -11.0]
    assert found.log_probs.tolist() == [-0.5, -3.0, -1.0, -2.0]
    assert found.row.tolist() == [1, 0, 2, 2]
    assert found.sentence.tolist() == [0, 0, 1, 1]


def test_each_sentence_has_its_own_beam_size() -> None:
    found = chosen([0, 1, 1], [1, 3, 3], [0.0, 0.0, 0.0], [[-1.0, -2.0]] * 3)
    assert found.ids.tolist() == [0, 10, 20, 11]


def test_ties_go_to_the_earlier_row_then_to_the_earlier_candidate() -> None:
    found = chosen([0, 0], [3, 3], [-1.0, -1.0], [[-2.0, -2.0], [-2.0, -2.0]])
    assert found.ids.tolist() == [0, 1, 10]


def test_minus_infinity_never_survives() -> None:
    found = chosen([0, 1], [2, 2], [0.0, 0.0], [[-1.0, -np.inf], [-np.inf, -np.inf]])
    assert found.ids.tolist() == [0]
