"""Everything a server can be asked, as steps that either client takes."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from mt.errors import ConfigError
from serving.client import answers
from serving.client.answers import (
    Answer,
    Answered,
    Detected,
    Dictionary,
    Document,
    Glossary,
    Model,
)
from serving.client.errors import DocumentError
from serving.client.exchange import Call, Retries, Steps, Wait, exchange

SERVER_VARIABLE = "SEQ2SERVE_SERVER"
KEY_VARIABLE = "SEQ2SERVE_API_KEY"
FIRST_POLL_S = 0.2
LONGEST_POLL_S = 5.0


class Options(TypedDict, total=False):
    """How to translate; see `TranslateRequest` of the server. What is left out is up to it."""

    model: str
    beam_size: int
    n_best: int
    length_penalty: float
    samples: int
    temperature: float
    top_k: int
    top_p: float
    seed: int
    format: Literal["text", "html", "xml"]
    split_sentences: Literal["newlines", "punctuation", "off"]
    preserve_formatting: bool
    do_not_translate: Sequence[str]
    ignore_tags: Sequence[str]
    glossary: Mapping[str, object]
    return_scores: bool
    return_alignments: bool
    return_words: bool


class DocumentOptions(TypedDict, total=False):
    """How to translate a file."""

    model: str
    glossary: Mapping[str, object]


@dataclass(frozen=True)
class Connection:
    """Where a server is, and how to talk to it."""

    server: str
    headers: Mapping[str, str]
    retries: Retries

    @classmethod
    def of(cls, server: str | None, api_key: str | None, retries: Retries) -> "Connection":
        """As told, or as the environment says.

        Raises:
            ConfigError: no server is named, or not by its address.
        """
        address = server or os.environ.get(SERVER_VARIABLE, "")
        if not address.startswith(("http://", "https://")):
            raise ConfigError(
                f"name a server, as http://127.0.0.1:8000, as argument or in {SERVER_VARIABLE}"
            )
        key = api_key or os.environ.get(KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return cls(address.rstrip("/"), headers, retries)


class Calls:
    """All calls of one connection; each gives steps, see `serving.client.exchange`."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries

    def translate(
        self, text: str | Sequence[str], target: str, source: str, options: Options
    ) -> Steps[Answer]:
        """All texts in one answer."""
        body = _body(text, target, source, options)
        return self._ask(Answer, Call("POST", "/v1/translate", body=body))

    def detect(self, text: str | Sequence[str]) -> Steps[tuple[Detected, ...]]:
        """The likeliest language of each text."""
        body = {"text": _listed(text)}
        return self._ask(
            tuple[Detected, ...], Call("POST", "/v1/detect", body=body), key="detections"
        )

    def models(self) -> Steps[tuple[Model, ...]]:
        """All loaded models."""
        return self._ask(tuple[Model, ...], Call("GET", "/v1/models"), key="models")

    def languages(self) -> Steps[dict[str, tuple[str, ...]]]:
        """For each source language, the languages it is translated into."""
        pairs: dict[str, dict[str, None]] = {}
        for model in (yield from self.models()):
            pairs.setdefault(model.source, {})[model.target] = None
        return {source: tuple(targets) for source, targets in pairs.items()}

    def send_document(
        self, name: str, content: bytes, target: str, source: str, options: DocumentOptions
    ) -> Steps[Document]:
        """Have a file translated; its name's ending tells its kind."""
        form = {"source": source, "target": target}
        if model := options.get("model"):
            form["model"] = model
        if glossary := options.get("glossary"):
            form["glossary"] = json.dumps(glossary)
        call = Call("POST", "/v1/documents", form=form, file=(name, content), resend=False)
        return self._ask(Document, call)

    def document(self, document_id: str) -> Steps[Document]:
        """How far a file is."""
        return self._ask(Document, Call("GET", f"/v1/documents/{document_id}"))

    def fetch_document(self, document_id: str) -> Steps[bytes]:
        """A translated file."""
        return self._content(Call("GET", f"/v1/documents/{document_id}/content"))

    def delete_document(self, document_id: str) -> Steps[None]:
        """Have the server forget a file before its time."""
        return self._nothing(Call("DELETE", f"/v1/documents/{document_id}"))

    def finish_document(
        self, document: Document, report: Callable[[float], None] | None = None
    ) -> Steps[bytes]:
        """Wait until a file is translated, and fetch it; `report` is told its progress, 0 to 1.

        Raises:
            DocumentError: it cannot be translated.
        """
        wait_s = FIRST_POLL_S
        while document.status not in ("done", "error"):
            yield Wait(wait_s)
            wait_s = min(1.5 * wait_s, LONGEST_POLL_S)
            document = yield from self.document(document.id)
            if report is not None:
                report(document.progress)
        if document.status == "error":
            raise DocumentError(document.problem or "the file could not be translated")
        return (yield from self.fetch_document(document.id))

    def translate_document(
        self, name: str, content: bytes, target: str, source: str, options: DocumentOptions
    ) -> Steps[bytes]:
        """A translated file, and nothing of it left on the server."""
        document = yield from self.send_document(name, content, target, source, options)
        translated = yield from self.finish_document(document)
        yield from self.delete_document(document.id)
        return translated

    def create_glossary(self, name: str, dictionaries: Sequence[Dictionary]) -> Steps[Glossary]:
        """Keep a glossary."""
        body = {"name": name, "dictionaries": [_dictionary(one) for one in dictionaries]}
        return self._ask(Glossary, Call("POST", "/v1/glossaries", body=body, resend=False))

    def glossaries(self) -> Steps[tuple[Glossary, ...]]:
        """All glossaries of this API key."""
        call = Call("GET", "/v1/glossaries")
        return self._ask(tuple[Glossary, ...], call, key="glossaries")

    def glossary(self, glossary_id: str) -> Steps[Glossary]:
        """One of them."""
        return self._ask(Glossary, Call("GET", f"/v1/glossaries/{glossary_id}"))

    def dictionaries(self, glossary_id: str) -> Steps[tuple[Dictionary, ...]]:
        """Its entries."""
        call = Call("GET", f"/v1/glossaries/{glossary_id}/dictionaries")
        return self._ask(tuple[Dictionary, ...], call, key="dictionaries")

    def put_dictionary(self, glossary_id: str, dictionary: Dictionary) -> Steps[Glossary]:
        """Replace the dictionary of two languages, or add it."""
        path = f"/v1/glossaries/{glossary_id}/dictionaries"
        return self._ask(Glossary, Call("PUT", path, body=_dictionary(dictionary)))

    def delete_glossary(self, glossary_id: str) -> Steps[None]:
        """Forget a glossary."""
        return self._nothing(Call("DELETE", f"/v1/glossaries/{glossary_id}"))

    def _ask(self, kind: type[Answered], call: Call, key: str | None = None) -> Steps[Answered]:
        reply = yield from exchange(call, self._retries)
        return answers.read(kind, reply.content, key)

    def _content(self, call: Call) -> Steps[bytes]:
        reply = yield from exchange(call, self._retries)
        return reply.content

    def _nothing(self, call: Call) -> Steps[None]:
        yield from exchange(call, self._retries)


def stream_call(texts: Sequence[str], target: str, source: str, options: Options) -> Call:
    """A stream of translations."""
    body = _body(texts, target, source, options)
    return Call("POST", "/v1/translate/stream", body=body, stream=True)


def _body(
    text: str | Sequence[str], target: str, source: str, options: Options
) -> dict[str, object]:
    return {"text": _listed(text), "source": source, "target": target, **options}


def _listed(text: str | Sequence[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def _dictionary(dictionary: Dictionary) -> dict[str, object]:
    return {
        "source": dictionary.source,
        "target": dictionary.target,
        "entries": dict(dictionary.entries),
    }
