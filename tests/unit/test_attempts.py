"""Another try, as often as is said."""

import pytest

from mt.attempts import insist


@pytest.mark.parametrize(("failures", "told"), [(0, 0), (1, 1), (2, 2)])
def test_what_fails_now_and_then_is_done_again(failures: int, told: int) -> None:
    left, heard = [OSError("no")] * failures, list[Exception]()

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    assert insist(work, 3, heard.append) == "done"
    assert len(heard) == told


def test_the_last_failure_is_raised() -> None:
    heard: list[Exception] = []
    numbers = iter(range(9))

    def work() -> None:
        raise OSError(f"attempt {next(numbers)}")

    with pytest.raises(OSError, match="attempt 2"):
        insist(work, 3, heard.append)
    assert [str(error) for error in heard] == ["attempt 0", "attempt 1"]
