"""Bodies of the events of `POST /v1/translate/stream`."""

from pydantic import ConfigDict, Field

from serving.schemas import (
    Body,
    CandidateBody,
    DetectedBody,
    SentenceWordsBody,
    Usage,
    WordPairBody,
)


class SentenceBody(Body):
    """Event `sentence`: the next finished piece of a text's translation.

    A piece is a sentence (or a part of one that is too long); of markup it is a block, such as a
    paragraph, with its tags. `before + text + after` of all pieces of a text, put end to end, are
    what `/v1/translate` answers. Spans of sources count from the start of the text, those of
    targets from the start of the piece's `text`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"item": 0, "sentence": 0, "before": "", "text": "He is asleep.", "after": " "}
            ]
        }
    )

    item: int = Field(description="number of the text, from 0")
    sentence: int = Field(description="number of the piece in its text, from 0")
    before: str = Field(description="what stays before it: space, or markup")
    text: str = Field(description="empty where nothing but `before` and `after` is left")
    after: str = Field(description="the space after it")
    score: float | None = Field(None, description="if return_scores, of this piece")
    candidates: list[CandidateBody] | None = Field(
        None, description="if n_best > 1, best first; if samples > 1, as they were drawn"
    )
    alignments: list[WordPairBody] | None = Field(None, description="if return_alignments")
    words: list[SentenceWordsBody] | None = Field(None, description="if return_words")


class DetectedEventBody(DetectedBody):
    """Event `detected`, before the first piece of a text: if source is `auto`."""

    item: int


class WarningsBody(Body):
    """Event `warnings`, after the last piece of a text: where anything is doubtful."""

    item: int
    warnings: list[str]


class DoneBody(Body):
    """Event `done`: nothing follows."""

    model: str = Field(description="with `auto` perhaps several, with commas; none if none ran")
    usage: Usage


EVENT_BODIES = (SentenceBody, DetectedEventBody, WarningsBody, DoneBody)
EVENT_SCHEMA = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["detected", "sentence", "warnings", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
"""Of one event (OpenAPI 3.2 calls it `itemSchema`)."""
EVENTS = """A `text/event-stream`. Each event's `data` is one JSON value:

* `detected` (DetectedEventBody), if source is `auto`: before the pieces of its text
* `sentence` (SentenceBody), as they are finished, in the order of the texts
* `warnings` (WarningsBody), where there are any: after the pieces of its text
* `done` (DoneBody), or `error` (Problem) where something failed: the last one

Lines that begin with a colon keep the connection alive and mean nothing."""
EXAMPLE = """event: sentence
data: {"item":0,"sentence":0,"before":"","text":"Jane visits Africa in September.","after":""}

event: done
data: {"model":"transformer","usage":{"source_tokens":9,"output_tokens":7,"characters":35}}

"""
