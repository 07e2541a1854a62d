"""`seq2serve translate --server`: lines and files, by a server."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from serving.client import Client, DocumentError, NotFoundError, RefusedError, Retries
from serving.client.answers import Candidate, Document, Translation
from serving.client.calls import DocumentOptions, Options
from serving.commands import file_jobs
from serving.commands.file_jobs import FileJob, Report
from serving.commands.line_batches import Progress, batches, with_line_number

LINES = 64  # of one request, of which a server takes 128
PATIENCE = Retries(timeout_s=900, attempts=50, longest_wait_s=15)  # a server may be restarted


@dataclass(frozen=True)
class Wanted:
    """From which language into which, by which model (None: the pair's first), with which terms."""

    source: str
    target: str
    model: str | None = None
    glossary: str | None = None

    @property
    def document_options(self) -> DocumentOptions:
        """As the client takes them."""
        options: DocumentOptions = {}
        if self.model:
            options["model"] = self.model
        if self.glossary:
            options["glossary"] = {"id": self.glossary}
        return options


def translate_lines(
    client: Client, wanted: Wanted, options: Options, source: Iterable[bytes], scores: bool
) -> None:
    """Lines of UTF-8 to standard output, one for one.

    Raises:
        RefusedError: names the first line that cannot be translated; those before it are written.
    """
    progress = Progress()
    asked: Options = {**options, **wanted.document_options, "return_scores": scores}
    for first, texts in batches(source, LINES):
        try:
            answer = client.translate(texts, source=wanted.source, target=wanted.target, **asked)
        except RefusedError as error:
            error.args = (with_line_number(str(error), first),)
            raise
        for one in answer.translations:
            click.echo("\n".join(_lines_out(one, scores)))
        progress.report(first + len(texts) - 1)
    progress.end()


def translate_files(
    client: Client, wanted: Wanted, jobs: Sequence[FileJob], ending: str | None
) -> None:
    """Files to files; what is there is done, and what a server works on is asked for again.

    Raises:
        ConfigError: some could not be translated.
    """
    file_jobs.run(jobs, lambda job, report: _translate_file(client, wanted, job, ending, report))


def _translate_file(
    client: Client, wanted: Wanted, job: FileJob, ending: str | None, report: Report
) -> bytes:
    content = file_jobs.read(job.source)
    facts = [
        wanted.source,
        wanted.target,
        wanted.model,
        wanted.glossary,
        ending,
        hashlib.sha256(content).hexdigest(),
    ]
    document = _begun(client, job.note, facts)
    if document is None:
        name = job.source.stem + (ending or job.source.suffix)
        document = client.send_document(
            name, content, target=wanted.target, source=wanted.source, **wanted.document_options
        )
        job.note.parent.mkdir(parents=True, exist_ok=True)
        job.note.write_text(json.dumps({"id": document.id, "facts": facts}))
    try:
        return client.finish_document(document, report)
    except (NotFoundError, DocumentError):
        job.note.unlink(missing_ok=True)  # the next run sends the file anew
        raise


def _begun(client: Client, note: Path, facts: Sequence[object]) -> Document | None:
    """What the server was given in an earlier run, if that is still what is wanted."""
    with suppress(OSError, ValueError, KeyError, TypeError, NotFoundError):
        noted = json.loads(note.read_text())
        if noted["facts"] == list(facts):
            document = client.document(str(noted["id"]))
            return None if document.status == "error" else document
    return None


def _lines_out(translation: Translation, scores: bool) -> list[str]:
    found: Sequence[Translation | Candidate] = translation.candidates or (translation,)
    texts = [one.text.replace("\n", " ") for one in found]
    if not scores:
        return texts
    return [f"{one.score or 0.0:.4f}\t{text}" for one, text in zip(found, texts, strict=True)]
