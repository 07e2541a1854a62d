"""How fast an engine gets on, as seen lately: what a newcomer will have to wait."""


class Pace:
    """Mean seconds that a sentence runs until it is done, newer ones counting more.

    Those who wait enter in waves of as many rows as there is room for, so the wait is counted in
    such means. A rate of sentences a second would mislead at the beginning of a rush: a batch that
    is nearly empty finishes few of them, but not because it could not finish more.
    """

    _MEMORY = 0.98  # of the past that remains after a sentence: about the last fifty count

    def __init__(self) -> None:
        self._seconds = 0.0
        self._sentences = 0.0

    def observe(self, seconds: float) -> None:
        """Count one sentence that was finished."""
        self._seconds = self._MEMORY * self._seconds + seconds
        self._sentences = self._MEMORY * self._sentences + 1.0

    @property
    def run_s(self) -> float:
        """The mean; 0 until a sentence was finished."""
        return self._seconds / max(self._sentences, 1.0)

    def wait_s(self, rows: int, rows_at_once: int) -> float:
        """How long so many rows will take, of which so many run at the same time."""
        return self.run_s * rows / rows_at_once
