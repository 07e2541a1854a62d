"""Settings of a server: limits at the door, the engine, the bundles, where it listens."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from mt.config import Strict, load_yaml
from mt.search_options import SearchOptions
from mt.stepper import Device

DialectName = Literal["libretranslate", "deepl", "google", "opus"]


class EngineSettings(Strict):
    """One engine: a model, its thread, its running batch and its queue."""

    device: Device = Field("cpu", description="where the graphs run: cpu, or cuda")
    precision: str | None = Field(
        None,
        description="graphs to run; unset: on a CPU the bundle's default, on cuda fp16 or fp32",
    )
    shortlist: bool = Field(
        False,
        description="score for each sentence only what its words are translated by, as the bundle "
        "lists it; faster, and its report tells the cost in BLEU",
    )
    workers: int = Field(
        1, ge=1, le=256, description="running batches side by side, each on a core of its own"
    )
    threads: int = Field(1, ge=1, le=256, description="threads inside one model step")
    max_rows: int = Field(160, ge=1, description="live hypotheses in a running batch")
    max_cache_bytes: int = Field(
        1_073_741_824,
        ge=1,
        description="bytes that the sentences of a running batch may come to take, beside the "
        "weights; one alone may take more",
    )
    max_waiting: int = Field(512, ge=1, description="sentences queued beyond those running")
    max_source_tokens_per_step: int = Field(
        4096,
        ge=1,
        description="source tokens encoded between two steps, padding included, so that newcomers "
        "do not hold up those who run",
    )
    max_overtaken_s: float = Field(
        0.5,
        ge=0,
        description="seconds a sentence may wait while later ones enter whose length suits better; "
        "0: first come, first served",
    )
    heartbeat_limit_s: float = Field(
        20.0,
        gt=0,
        description="seconds one step may take; then its process is replaced, or without one the "
        "engine counts as stuck",
    )
    failure_limit: int = Field(
        5, ge=1, description="failures in a row, without a success, that make the engine unhealthy"
    )
    close_timeout_s: float = Field(
        10.0, gt=0, description="seconds that closing waits for a step that is under way"
    )


class Limits(Strict):
    """What one request may ask for. The defaults suit a server that strangers can reach."""

    max_texts: int = Field(128, ge=1, description="texts in one request")
    max_text_chars: int = Field(10_000, ge=1, description="characters of one text")
    max_total_chars: int = Field(50_000, ge=1, description="characters of all texts together")
    max_body_bytes: int = Field(1_048_576, ge=1, description="bytes of one request body")
    head_timeout_s: float = Field(
        10.0, gt=0, description="seconds for the head of a request to arrive; embedded server only"
    )
    body_timeout_s: float = Field(10.0, gt=0, description="seconds for a whole body to arrive")
    max_beam_size: int = Field(16, ge=1, description="hypotheses kept while searching, or samples")
    max_n_best: int = Field(16, ge=1, description="translations of a text in one answer")
    max_work: int = Field(
        400_000,
        ge=1,
        description="characters of all texts times hypotheses of the search; what the server's own "
        "search makes of `max_total_chars` is always allowed",
    )
    deadline_s: float | None = Field(
        30.0, gt=0, description="seconds until an answer is too late; null: it may take any time"
    )


OFFLINE = Limits(
    max_texts=10_000_000,
    max_text_chars=10_000_000,
    max_total_chars=1_000_000_000,
    max_beam_size=64,
    max_n_best=64,
    deadline_s=None,
)
"""Limits of a program that translates its own files: only what could never be meant is refused."""


class BundleSettings(Strict):
    """One bundle to serve."""

    path: str = Field(min_length=1, description="folder, relative to where the server starts")
    engine: EngineSettings = Field(
        default_factory=EngineSettings, description="keys that differ from the common engine"
    )


class DocumentSettings(Strict):
    """Whole files, which dialects translate."""

    folder: str | None = Field(
        None,
        description="where translated files wait for their download; replicas on several machines "
        "need one they share. Unset: a private one among the temporary files",
    )
    max_bytes: int = Field(10_485_760, ge=1, description="bytes of a request that sends a file")
    keep_s: float = Field(3600.0, gt=0, description="seconds until a file is forgotten")
    deadline_s: float = Field(900.0, gt=0, description="seconds that one file may take")
    parallel: int = Field(2, ge=1, description="files translated at the same time")
    max_waiting: int = Field(16, ge=1, description="files waiting or under way")


class Allowance(Strict):
    """How much somebody may ask for; None: as much as they like."""

    requests_per_minute: int | None = Field(None, ge=1, description="in any 60 seconds")
    characters_per_minute: int | None = Field(None, ge=1, description="in any 60 seconds")
    characters_per_month: int | None = Field(None, ge=1, description="in a calendar month, UTC")


class KeySettings(Strict):
    """Who may call. Keys are made by `seq2serve keys create` and lie in `data_dir`."""

    mode: Literal["auto", "off", "optional", "required"] = Field(
        "auto",
        description="off: any key is accepted, none is needed; optional: without a key the "
        "`anonymous` allowance holds, a wrong key is refused; required: keys only; auto: required "
        "from the moment `data_dir` holds a first key, off until then",
    )
    anonymous: Allowance = Field(
        default_factory=Allowance,
        description="of all callers without a key together, where mode is optional",
    )
    counters: str | None = Field(
        None,
        description="where replicas count together: redis://host:port for several machines (with "
        "seq2serve[redis]). Unset: SEQ2SERVE_COUNTERS in the environment, where an address with a "
        "password belongs, else a file in `data_dir`, for all processes of one machine. Where it "
        "cannot be reached nobody is turned away for that: each process counts for itself until it "
        "can, so that a limit holds for each of them; keys are looked at all the same",
    )


class MemorySettings(Strict):
    """Translations that people made, kept in `data_dir`."""

    enabled: bool = Field(True, description="false: it is neither asked nor filled")
    suggestions: bool = Field(
        False,
        description="take what visitors suggest; it stands in for no model until "
        "`seq2serve memory accept`",
    )


class TraceSettings(Strict):
    """Traces in OpenTelemetry's form; the extra `trace` sends them."""

    endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="where a collector takes traces (OTLP over HTTP), as "
        "http://collector:4318/v1/traces. Unset: there are none",
    )
    ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="part of the requests that is traced; a caller's own decision goes before it",
    )


class ServeSettings(Strict):
    """Everything a server needs to know; one YAML file, or flags of `seq2serve serve`."""

    bundles: list[BundleSettings] = Field(min_length=1, description="the models to offer")
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0: every interface")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0: any free one")
    limits: Limits = Field(default_factory=Limits)
    engine: EngineSettings = Field(default_factory=EngineSettings, description="common to all")
    engine_processes: bool = Field(
        True,
        description="each worker in a process of its own, with the weights for itself: it does not "
        "wait for the interpreter that answers HTTP, and where it dies another takes over what it "
        "had; false: threads of the server, on the same weights",
    )
    search: SearchOptions = Field(
        default_factory=SearchOptions, description="what a request gets that does not say"
    )
    dialects: tuple[DialectName, ...] = Field(
        ("libretranslate", "deepl"), description="other services whose clients are answered too"
    )
    cache_mib: int = Field(
        32,
        ge=0,
        description="memory each model may fill with finished sentences, so that none is searched "
        "twice, nor at the same time; 0: every text is searched anew",
    )
    data_dir: str | None = Field(
        None,
        description="folder on a local disk for what outlives the server: keys, usage, memory. "
        "Unset: there are no keys and there is no memory",
    )
    keys: KeySettings = Field(default_factory=KeySettings)
    memory: MemorySettings = Field(default_factory=MemorySettings)
    documents: DocumentSettings = Field(default_factory=DocumentSettings)
    trace: TraceSettings = Field(default_factory=TraceSettings)
    page: bool = Field(True, description="a page for people at /")
    replicas: int = Field(1, ge=1, description="processes on Ray Serve; embedded is always one")
    heartbeat_s: float = Field(
        10.0, gt=0, description="seconds of silence in a stream until it gets a sign of life"
    )
    drain_timeout_s: float = Field(
        35.0, gt=0, description="seconds that stopping waits for answers under way"
    )

    @model_validator(mode="after")
    def _data_has_a_place(self) -> Self:
        if self.data_dir is None and self.keys.mode in ("optional", "required"):
            raise ValueError(f"keys.mode: {self.keys.mode} needs data_dir, the folder of the keys")
        if self.data_dir is None and self.memory.suggestions:
            raise ValueError("memory.suggestions needs data_dir, the folder of the memory")
        return self

    def engine_for(self, bundle: BundleSettings) -> EngineSettings:
        """The common engine settings, with the keys that this bundle sets itself."""
        own = bundle.engine.model_dump(exclude_unset=True)
        return EngineSettings.model_validate({**self.engine.model_dump(), **own})

    @property
    def most_work(self) -> int:
        """Characters times hypotheses that one request may ask for."""
        return max(self.limits.max_work, self.limits.max_total_chars * self.search.rows)

    @property
    def max_ongoing_requests(self) -> int:
        """Requests Ray Serve may hand to one replica: all its engines can hold, and a few more.

        Beyond it Ray refuses by itself, without our error body, so it must be the larger bound.
        """
        engines = [self.engine_for(bundle) for bundle in self.bundles]
        return 16 + sum(one.workers * one.max_rows + one.max_waiting for one in engines)


def load(path: Path, overrides: Iterable[str] = ()) -> ServeSettings:
    """Read a settings file; each override is `dotted.key=value`.

    Raises:
        ConfigError: the file is missing or wrong; names file and dotted key.
    """
    return load_yaml(path, ServeSettings, overrides)
