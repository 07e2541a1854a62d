"""The open translators of one process, chosen by language pair and, where told, by name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

from mt import bundle
from mt.bundle import Manifest
from mt.errors import BundleError, ConfigError, MTError, UnknownModelError
from serving.precision import precision_for
from serving.settings import EngineSettings, ServeSettings
from serving.translator import Translator

Preference = Literal["quality", "speed"]
MAX_LISTED = 20  # in an error message; GET /v1/models has them all


class Models:
    """Several open translators. Of one pair, the first is taken where no name is given."""

    def __init__(self, translators: Sequence[Translator]) -> None:
        """Own these translators, in order of preference.

        Raises:
            ConfigError: two have the same name.
        """
        _refuse_same_names([translator.manifest for translator in translators])
        self.translators = tuple(translators)

    @classmethod
    def open(cls, settings: ServeSettings) -> Self:
        """Open every bundle of the settings, or none.

        Raises:
            BundleError: bundles that cannot be opened, all of them on one line.
            ConfigError: two bundles have the same name.
        """
        opened: list[Translator] = []
        try:
            _for_each_bundle(
                settings,
                lambda path, engine: opened.append(
                    Translator.open(
                        path,
                        engine,
                        settings.limits,
                        settings.cache_mib * 2**20,
                        settings.engine_processes,
                    )
                ),
            )
            return cls(opened)
        except MTError:
            for translator in opened:
                translator.close()
            raise

    @property
    def manifests(self) -> list[Manifest]:
        """Facts of every model, in order of preference."""
        return [translator.manifest for translator in self.translators]

    def choose(
        self,
        source: str,
        target: str,
        name: str | None = None,
        preference: Preference | None = None,
    ) -> Translator:
        """The translator of a pair; languages are compared without regard to case.

        `preference` chooses among those of the pair where no name is given, else it is the first.

        Raises:
            UnknownModelError: no such pair, or no such model of it; says which there are.
        """
        wanted = _pair(source, target)
        of_pair = [t for t in self.translators if pair(t.manifest) == wanted]
        if not of_pair:
            offered = dict.fromkeys(pair(manifest) for manifest in self.manifests)
            raise UnknownModelError(f"no model of this language pair, only {_listed(offered)}")
        if name is None and preference is not None:
            return min(of_pair, key=lambda one: _cost(one.manifest, preference))
        for translator in of_pair:
            if name in (None, translator.manifest.name):
                return translator
        offered = dict.fromkeys(t.manifest.name for t in of_pair)
        raise UnknownModelError(f"no model of this name for {wanted}, only {_listed(offered)}")

    @property
    def languages(self) -> list[str]:
        """Every language that is translated from or into, as the models name them."""
        named = [(one.source_language, one.target_language) for one in self.manifests]
        return list(dict.fromkeys(language for both in named for language in both))

    def sources_of(self, target: str, name: str | None = None) -> list[str]:
        """The languages that are translated into `target`, in order of preference.

        Raises:
            UnknownModelError: there are none, or none by a model of that name.
        """
        found = [
            manifest.source_language
            for manifest in self.manifests
            if manifest.target_language.lower() == target.lower() and name in (None, manifest.name)
        ]
        if not found:
            offered = dict.fromkeys(pair(manifest) for manifest in self.manifests)
            raise UnknownModelError(f"no such model into this language, only {_listed(offered)}")
        return list(dict.fromkeys(found))

    def healthy(self) -> bool:
        """Whether every engine works."""
        return all(translator.engine.healthy() for translator in self.translators)

    def close(self) -> None:
        """Stop every engine; safe to repeat."""
        for translator in self.translators:
            translator.close()


def check(settings: ServeSettings) -> list[Manifest]:
    """Verify every bundle of the settings without loading a graph.

    Raises:
        BundleError: bundles that are not whole, all of them on one line.
        ConfigError: two bundles have the same name, or a device has not the precision.
    """
    manifests: list[Manifest] = []
    _for_each_bundle(settings, lambda path, engine: manifests.append(_verified(path, engine)))
    _refuse_same_names(manifests)
    return manifests


def _verified(path: Path, engine: EngineSettings) -> Manifest:
    """The manifest of a bundle that has all that its engine is to run."""
    opened = bundle.open(path)
    precision = precision_for(opened.manifest, engine.precision, engine.device)
    opened.graphs(precision)
    if engine.shortlist:
        opened.shortlist_graphs(precision)
    return opened.manifest


def _cost(manifest: Manifest, preference: Preference) -> tuple[bool, int]:
    """The less, the better: quality is a large Transformer, speed a small model of another kind."""
    transformer, size = manifest.family == "transformer", manifest.parameters
    return (not transformer, -size) if preference == "quality" else (transformer, size)


def pair(manifest: Manifest) -> str:
    """A bundle's language pair, as `fr-en`."""
    return _pair(manifest.source_language, manifest.target_language)


def _for_each_bundle(
    settings: ServeSettings, open_one: Callable[[Path, EngineSettings], None]
) -> None:
    """Open them all, and only then complain of all that could not be opened."""
    problems = []
    for one in settings.bundles:
        try:
            open_one(Path(one.path), settings.engine_for(one))
        except BundleError as error:
            problems.append(str(error))
    if problems:
        raise BundleError("; ".join(problems))


def _refuse_same_names(manifests: Sequence[Manifest]) -> None:
    names = [manifest.name for manifest in manifests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"several bundles are named {', '.join(twice)}; serve one of each")


def _pair(source: str, target: str) -> str:
    return f"{source.lower()}-{target.lower()}"


def _listed(names: dict[str, None]) -> str:
    shown = ", ".join(list(names)[:MAX_LISTED])
    return shown if len(names) <= MAX_LISTED else f"{shown} and more; see GET /v1/models"
