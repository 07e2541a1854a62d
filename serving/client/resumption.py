"""A stream that goes on where it broke off: a server may be restarted, a connection lost.

What is left is asked for anew, from the first text that is not known to be finished. Of that text
the server sends pieces again that the caller has: they are compared and passed over, since the same
text has the same translation, sampled ones too.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from serving.client.answers import Done, Event, Sentence
from serving.client.calls import Options, stream_call
from serving.client.errors import ClientError, OverloadedError, UnreachableError
from serving.client.events import EventReader
from serving.client.exchange import Retries, Steps, Wait, exchange


class ResumedStream:
    """One stream, over as many requests as it takes. No input or output of its own.

    Its reader calls `open` and feeds what comes, until `is_done`.
    """

    def __init__(
        self,
        text: str | Sequence[str],
        target: str,
        source: str,
        options: Options,
        retries: Retries,
    ) -> None:
        self.is_done = False
        self._texts = [text] if isinstance(text, str) else list(text)
        self._asked = target, source, options
        self._retries = retries
        self._reader = EventReader()
        self._was_opened = False
        self._failures = 0  # in a row, without an event that was new
        self._problem: ClientError = UnreachableError("the stream broke off; ask again")
        self._first = self._item = 0  # texts: the first of this request, the one under way
        self._given: list[Event] = []  # events of the text under way
        self._known: deque[Event] = deque()  # of them, those that come again

    def open(self) -> Steps[object]:
        """The body of a stream of what is left.

        Raises:
            ClientError: it broke off, and all tries are used up; or the server refuses.
        """
        if self._was_opened:
            self._failures += 1
            if self._failures >= self._retries.attempts:
                raise self._problem
            yield Wait(self._retries.wait_s(self._failures, None))
        self._was_opened = True
        self._reader, self._known = EventReader(), deque(self._given)
        self._first = self._item
        call = stream_call(self._texts[self._first :], *self._asked)
        reply = yield from exchange(call, self._retries)
        return reply.opened

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that this chunk completes, and that are new.

        Raises:
            ProblemError: the server failed midway.
            UnreachableError: it broke off before, and what comes again is not what came.
        """
        try:
            for event in self._reader.feed(chunk):
                yield from self._new(event)
        except OverloadedError as error:  # as of a server that is being stopped
            self._problem = error

    def _new(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Done):
            self.is_done = True
            yield event
            return
        event = replace(event, item=event.item + self._first)
        if self._known:
            if not _alike(event, self._known.popleft()):
                raise UnreachableError("the stream broke off, and now goes otherwise; ask again")
            return
        if event.item != self._item:
            self._item, self._given = event.item, []
        self._given.append(event)
        self._failures = 0
        yield event


def _alike(event: Event, other: Event) -> bool:
    """Whether both say the same, but for figures, which hang on the processor."""
    if isinstance(event, Sentence) and isinstance(other, Sentence):
        pieces = [(one.item, one.before, one.text, one.after) for one in (event, other)]
        return pieces[0] == pieces[1]
    return type(event) is type(other)
