"""`seq2serve translate BUNDLE FILES --out`: whole files, by a bundle of this machine."""

from collections.abc import Sequence
from pathlib import Path

from mt.search_options import SearchOptions
from serving.commands import file_jobs
from serving.commands.file_jobs import FileJob, Report
from serving.file_formats import open_file
from serving.settings import OFFLINE, EngineSettings
from serving.stores.documents import batches
from serving.translator import Translator

BATCH_TEXTS = 64
BATCH_CHARS = 20_000


def translate(
    bundle: Path,
    engine: EngineSettings,
    options: SearchOptions,
    jobs: Sequence[FileJob],
    ending: str | None,
) -> None:
    """Files to files; what is there is done. `ending` says of what kind they are, else their names.

    Raises:
        BundleError: the bundle cannot be opened.
        ConfigError: some could not be translated.
    """
    with Translator.open(bundle, engine, OFFLINE) as translator:

        def translate_one(job: FileJob, report: Report) -> bytes:
            name = job.source.stem + (ending or job.source.suffix)
            return _translated(translator, options, name, file_jobs.read(job.source), report)

        file_jobs.run(jobs, translate_one)


def _translated(
    translator: Translator, options: SearchOptions, name: str, content: bytes, report: Report
) -> bytes:
    file = open_file(name, content)
    done: list[str] = []
    for batch in batches(file.texts, BATCH_TEXTS, BATCH_CHARS):
        found = translator.translate(batch, options, None, file.text_options)
        done += [one.text for one in found]
        report(len(done) / len(file.texts))
    return file.filled(done)
