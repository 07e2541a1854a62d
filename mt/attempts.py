"""Do again what fails now and then through no fault of its own."""

from collections.abc import Callable
from typing import TypeVar

Outcome = TypeVar("Outcome")

RAY_STARTS = 3  # of a Ray of our own, which does not come up every time on a busy machine


def insist(
    work: Callable[[], Outcome], attempts: int, failed: Callable[[Exception], None]
) -> Outcome:
    """What `work` returns, which is called up to `attempts` times; `failed` hears of each failure
    but the last, which is raised.
    """
    for _ in range(attempts - 1):
        try:
            return work()
        except Exception as error:
            failed(error)
    return work()
