"""The exported model folder: what `export` writes and everything that serves opens.

A bundle holds `manifest.json`, `tokenizer.model`, `MODEL_CARD.md` and the ONNX graphs. The manifest
lists every other file with its size and sha256; opening checks all of them and reports every
problem at once. It may hold a vocabulary shortlist, and graphs that score no more than is listed.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mt.config import Strict, describe
from mt.errors import BundleError
from mt.shortlist import Shortlist
from mt.tokenizer import SPECIAL_IDS, Tokenizer
from mt.writing import writing

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.model"
MODEL_CARD = "MODEL_CARD.md"
SCHEMA_VERSION: Literal[1] = 1
GRAPH_VERSION: Literal[2] = 2  # of `mt.graph_signature`
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"  # safe in an address, a log and a file name


class FileEntry(Strict):
    """One file of the bundle."""

    sha256: str
    size: int = Field(ge=0, description="bytes")


class Graphs(Strict):
    """The two ONNX files of one precision."""

    encoder: str
    step: str


class ShortlistGraphs(Strict):
    """The two ONNX files that one precision needs for a shortlist."""

    listing: str
    step: str


class ShortlistFiles(Strict):
    """A vocabulary shortlist, and how it was made."""

    table: str = Field(description="file of `mt.shortlist`")
    graphs: dict[str, ShortlistGraphs] = Field(description="by precision", min_length=1)
    origin: dict[str, Any] = Field(default_factory=dict, description="method, sizes, text")


class Score(Strict):
    """A number with everything needed to compare it: sacreBLEU's signature and the test set."""

    metric: Literal["BLEU", "chrF2", "TER", "BLEU-lc-tok", "token-accuracy"]
    value: float
    signature: str
    test_set: str
    precision: str = Field("fp32", description="which graphs or weights made the hypotheses")


class Data(Strict):
    """Where the training text came from."""

    name: str
    licence: str
    sha256: dict[str, str] = Field(description="of each file as published")
    train_pairs: int = Field(ge=0)


class SpecialIds(Strict):
    """Ids with a meaning of their own."""

    pad: int
    unk: int
    bos: int
    eos: int


class Manifest(Strict):
    """Everything there is to know about a bundle without opening a graph."""

    schema_version: Literal[1] = SCHEMA_VERSION
    graph_version: Literal[2] = Field(GRAPH_VERSION, description="names and axes of the graphs")
    name: str = Field(pattern=NAME_PATTERN)
    family: str = Field(pattern=NAME_PATTERN, description="of the model, as its recipe names it")
    source_language: str = Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")
    target_language: str = Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")
    vocab_size: int = Field(gt=0)
    special_ids: SpecialIds
    max_source_tokens: int = Field(gt=0, description="longest sentence the model accepts, with eos")
    max_target_tokens: int = Field(gt=0, description="longest translation it may write, with eos")
    parameters: int = Field(ge=0)
    opset: int
    graphs: dict[str, Graphs] = Field(description="by precision", min_length=1)
    default_precision: str
    shortlist: ShortlistFiles | None = Field(None, description="None: the bundle has none")
    quantization: dict[str, Any] = Field(default_factory=dict, description="method, calibration")
    parity: dict[str, Any] = Field(default_factory=dict, description="the report that let it pass")
    recipe: dict[str, Any] = Field(description="the training recipe, whole")
    checkpoint_sha256: str = Field(description="of the exported weights")
    data: Data
    scores: list[Score] = Field(default_factory=list)
    created_with: dict[str, str] = Field(default_factory=dict, description="versions")
    files: dict[str, FileEntry]


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its folder, manifest and tokenizer."""

    folder: Path
    manifest: Manifest
    tokenizer: Tokenizer

    def graphs(self, precision: str | None = None) -> tuple[Path, Path]:
        """Paths of the encoder and step graphs at one precision (None: the default).

        Raises:
            BundleError: the bundle has no such precision.
        """
        chosen = precision or self.manifest.default_precision
        if chosen not in self.manifest.graphs:
            offered = ", ".join(sorted(self.manifest.graphs))
            raise BundleError(f"{self.folder} has no {chosen} graphs, only {offered}")
        files = self.manifest.graphs[chosen]
        return self.folder / files.encoder, self.folder / files.step

    def shortlist(self) -> Shortlist:
        """The vocabulary shortlist.

        Raises:
            BundleError: the bundle has none, or the file is not of this vocabulary.
        """
        path = self.folder / self._shortlist_files().table
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror})") from None
        return Shortlist.from_bytes(data, self.manifest.vocab_size, str(path))

    def shortlist_graphs(self, precision: str | None = None) -> tuple[Path, Path]:
        """Paths of the listing graph and of the shortlisted step graph at one precision.

        Raises:
            BundleError: the bundle has no shortlist, or none at this precision.
        """
        self.graphs(precision)
        files = self._shortlist_files().graphs[precision or self.manifest.default_precision]
        return self.folder / files.listing, self.folder / files.step

    def _shortlist_files(self) -> ShortlistFiles:
        if self.manifest.shortlist is None:
            raise BundleError(
                f"{self.folder} has no vocabulary shortlist; export it again with --shortlist, or "
                "serve without engine.shortlist"
            )
        return self.manifest.shortlist


def open(folder: Path) -> Bundle:  # read as `bundle.open(path)`
    """Open a bundle and verify every file against the manifest.

    Raises:
        BundleError: one line naming every missing, changed or foreign file, or the unknown schema.
    """
    manifest = _read_manifest(folder)
    _refuse(folder, _inconsistencies(manifest))
    try:
        problems = _file_problems(folder, manifest)
    except OSError as error:
        raise BundleError(f"{error.filename} cannot be read ({error.strerror})") from None
    _refuse(folder, problems)
    tokenizer = Tokenizer.load(folder / TOKENIZER)
    _refuse(folder, _misfits(tokenizer, manifest))
    return Bundle(folder, manifest, tokenizer)


def write(folder: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Bundle:
    """Write a bundle whole or not at all, and open it.

    `manifest` holds the fields of `Manifest` but `files`, which is computed here. An older bundle
    of ours at `folder` is replaced; anything else there is left alone.

    Raises:
        BundleError: `folder` exists and is no bundle, cannot be written, or the parts do not fit.
    """
    check_replaceable(folder)
    entries = {name: FileEntry(sha256=sha256(data), size=len(data)) for name, data in files.items()}
    try:
        checked = Manifest.model_validate({**manifest, "files": entries})
    except ValidationError as error:
        raise BundleError(f"{folder}: {describe(error)}") from None
    _refuse(folder, _inconsistencies(checked))
    _refuse(folder, _misfits(Tokenizer(files[TOKENIZER]), checked))
    text = json.dumps(checked.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    with writing(folder, BundleError):
        _replace_folder(folder, {**files, MANIFEST: text.encode()})
    return open(folder)


def check_replaceable(folder: Path) -> None:
    """Refuse a place where `write` would have to destroy something that is not a bundle.

    Raises:
        BundleError: a file, or a folder with other things in it.
    """
    if folder.is_dir():
        foreign = any(folder.iterdir()) and not (folder / MANIFEST).is_file()
    else:
        foreign = folder.exists()
    if foreign:
        raise BundleError(f"{folder} exists and is not a bundle; choose another folder")


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def _replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write into a neighbour, sync, then rename: readers see the old folder or the new one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        for name, data in files.items():
            with (fresh / name).open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.rename(old / folder.name)
            fresh.rename(folder)
            shutil.rmtree(old)
        else:
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such bundle folder")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder} lacks {MANIFEST}; it is not a bundle") from None
    except (OSError, ValueError, RecursionError):
        raise BundleError(f"{path} is not readable JSON; export the bundle again") from None
    for key, readable in (("schema_version", SCHEMA_VERSION), ("graph_version", GRAPH_VERSION)):
        version = values.get(key) if isinstance(values, dict) else None
        if version != readable:
            raise BundleError(
                f"{folder} has {key} {version}, this program reads {readable}; "
                "export it again: seq2serve export RUN --out FOLDER"
            )
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise BundleError(f"{path}: {describe(error)}") from None


def _refuse(folder: Path, problems: list[str]) -> None:
    if problems:
        raise BundleError(f"{folder}: {'; '.join(problems)}; export it again or copy it whole")


def _inconsistencies(manifest: Manifest) -> list[str]:
    """What the schema alone cannot say, one phrase each."""
    problems = []
    ids = tuple(manifest.special_ids.model_dump().values())
    if ids != SPECIAL_IDS:
        problems.append(f"special ids are {ids}, expected {SPECIAL_IDS}")
    if manifest.default_precision not in manifest.graphs:
        problems.append(f"no graphs for precision {manifest.default_precision}")
    graphs = {name for pair in manifest.graphs.values() for name in (pair.encoder, pair.step)}
    if (shortlist := manifest.shortlist) is not None:
        graphs |= {shortlist.table}
        graphs |= {name for pair in shortlist.graphs.values() for name in (pair.listing, pair.step)}
        if shortlist.graphs.keys() != manifest.graphs.keys():
            problems.append("the shortlist is not of the same precisions")
    unlisted = {TOKENIZER, MODEL_CARD, *graphs} - manifest.files.keys()
    problems += [f"{MANIFEST} does not list {name}" for name in sorted(unlisted)]
    for name in sorted(manifest.files):
        if Path(name).name != name or name in ("", "..", MANIFEST):
            problems.append(f"{name!r} cannot be the name of a file in it")
    return problems


def _misfits(tokenizer: Tokenizer, manifest: Manifest) -> list[str]:
    """Whether tokenizer and graphs speak of the same ids."""
    pieces, ids = tokenizer.vocab_size, manifest.vocab_size
    return [f"{TOKENIZER} has {pieces} pieces, the graphs {ids}"] if pieces != ids else []


def _file_problems(folder: Path, manifest: Manifest) -> list[str]:
    """One phrase for every file that is missing, changed or foreign."""
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    problems = [f"{name} is missing" for name in sorted(manifest.files.keys() - present)]
    problems += [f"{name} does not belong" for name in sorted(present - manifest.files.keys())]
    for name in sorted(present & manifest.files.keys()):
        entry, path = manifest.files[name], folder / name
        if not path.is_file() or path.is_symlink():
            problems.append(f"{name} is not a plain file")
        elif path.stat().st_size != entry.size:
            problems.append(f"{name} has {path.stat().st_size} bytes, not {entry.size}")
        elif sha256(path.read_bytes()) != entry.sha256:
            problems.append(f"{name} was changed (sha256 differs)")
    return problems
