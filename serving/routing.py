"""What an order comes to before anything is translated: languages, models, terms, memory."""

import asyncio
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mt import log
from mt.errors import MTError
from mt.search_options import SearchOptions
from serving.models import Models, Preference, pair
from serving.routes.middleware import Facts
from serving.service import Service
from serving.settings import ServeSettings
from serving.stores.glossaries import PREFERENCE, GlossaryUse
from serving.text.detection import Detection
from serving.text.text_checks import check_texts, check_work, has_words, search_options
from serving.text.text_options import PLAIN, TextOptions
from serving.translator import Translator

AUTO = "auto"
SEVERAL = "several"  # in metrics and log, where one request's texts went to several models
TAG = re.compile(r"<[^>]*>|&\w+;")  # as much of markup as misleads the detector
MARKED = re.compile("[<&]")
SURE = 0.5  # a text is left as it is only where it is rather in the language wanted than not


@dataclass(frozen=True)
class Order:
    """What one request wants: texts, of a language or of `AUTO`, in another language.

    asked: keys of `SearchOptions` that differ from the server's own. preference: among the models
    of a pair, where none is named. lenient: a text whose language is the one wanted, or without
    letters and digits, comes back as it is; it is an error otherwise, unless the language was
    detected. glossary: whose terms hold.
    """

    texts: Sequence[str]
    source: str
    target: str
    model: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    lenient: bool = False
    preference: Preference | None = None
    text_options: TextOptions = PLAIN
    glossary: GlossaryUse | None = None


@dataclass(frozen=True)
class Group:
    """The texts of one order, by their places, that go to one translator; and how."""

    translator: Translator
    places: list[int]
    text_options: TextOptions


@dataclass(frozen=True)
class Routed:
    """An order with everything decided: the languages, who translates what, and how."""

    spoken: Sequence[Detection]
    groups: Sequence[Group]
    options: SearchOptions
    recalled: Mapping[int, str]
    """What people made of texts, by their places."""


async def route(service: Service, models: Models, order: Order, facts: Facts) -> Routed:
    """Decide everything; `facts` learn of the models.

    Raises:
        InputError: a text or an option that cannot be, or a glossary without these languages.
        UnknownModelError: no such pair, or no such model of it.
        UnknownGlossaryError: the caller has no such glossary.
    """
    spoken = await _languages(service, models, order)
    recalled = await _recalled(service, order, spoken, facts)
    groups = _groups(models, order, spoken, recalled)
    _note(facts, groups)
    check_texts(order.texts, service.settings.limits)
    if use := order.glossary:
        owner = facts.caller.key_id
        groups = [
            replace(one, text_options=await _worded(service, one, use, owner)) for one in groups
        ]
    options = requested_options(order.asked, service.settings)
    check_work(order.texts, options, service.settings.most_work)
    return Routed(spoken, groups, options, recalled)


async def _recalled(
    service: Service, order: Order, spoken: Sequence[Detection], facts: Facts
) -> Mapping[int, str]:
    """What the caller's memory has of the texts, where it may stand in for the model.

    It may not where the model is asked for something: by its name, for candidates, for terms. In
    markup only what has none is looked up. Without a memory everything is translated.
    """
    memory, asked = service.memory, any(order.asked.values())
    if memory is None or asked or order.model is not None or order.glossary is not None:
        return {}
    is_plain = order.text_options.format == "text"

    def look_up() -> dict[int, str]:
        found: dict[int, str] = {}
        for language in {one.language for one in spoken}:
            places = [i for i, one in enumerate(spoken) if one.language == language]
            texts = [order.texts[i] for i in places]
            kept = memory.exact(facts.caller.key_id, language, order.target, texts)
            found |= {
                place: translation
                for place, text, translation in zip(places, texts, kept, strict=True)
                if translation is not None and (is_plain or not MARKED.search(text + translation))
            }
        return found

    try:
        found = await asyncio.to_thread(look_up)
    except MTError:
        log.event("memory_unreachable", request_id=facts.request_id)
        return {}
    service.metrics.memory_hits.inc(len(found))
    return found


async def _worded(service: Service, group: Group, use: GlossaryUse, owner: str) -> TextOptions:
    """How a group is translated, with the terms that a glossary has for its languages.

    Raises:
        UnknownGlossaryError: the caller has no such glossary.
        InputError: it has nothing for these languages.
    """
    entries, manifest = use.entries, group.translator.manifest
    if use.ids:
        pair = manifest.source_language, manifest.target_language
        entries = await asyncio.to_thread(service.glossaries.entries, owner, use.ids, *pair)
    bias = None if use.required else PREFERENCE
    changes = {"terminology": entries, "terminology_bias": bias}
    return group.text_options.model_copy(update=changes)


def requested_options(asked: Mapping[str, Any], settings: ServeSettings) -> SearchOptions:
    """The server's options with the request's laid over them; a wider n_best widens the beam.

    Raises:
        InputError: names every option that is out of range.
    """
    laid_over = dict(asked)
    if asked.get("samples"):
        laid_over = {"beam_size": 1, "n_best": 1, **asked}
    elif "n_best" in asked:
        laid_over.setdefault("beam_size", max(asked["n_best"], settings.search.beam_size))
    return search_options({**settings.search.model_dump(), **laid_over}, settings.limits)


async def language_of(service: Service, models: Models, text: str, order: Order) -> str:
    """The language of a text: the order's, or as it is detected.

    Raises:
        UnknownModelError: nothing is translated into the language wanted.
    """
    if order.source.lower() != AUTO:
        return order.source
    sources = models.sources_of(order.target, order.model)
    found = await asyncio.to_thread(_language, service, text, sources, order)
    return found.language


async def _languages(service: Service, models: Models, order: Order) -> list[Detection]:
    """Of each text."""
    if order.source.lower() != AUTO:
        return [Detection(order.source, 1.0)] * len(order.texts)
    sources = models.sources_of(order.target, order.model)
    check_texts(order.texts, service.settings.limits)  # before any of them costs time
    return await asyncio.to_thread(
        lambda: [_language(service, text, sources, order) for text in order.texts]
    )


def _language(service: Service, text: str, sources: Sequence[str], order: Order) -> Detection:
    """The likeliest of the languages that can be translated, or the one wanted already."""
    words = text if order.text_options.format == "text" else TAG.sub(" ", text)
    for found in service.detector.rank(words, dict.fromkeys([*sources, order.target])):
        if found.language.lower() != order.target.lower() or found.confidence >= SURE:
            return found
    return Detection(sources[0], 0.0)


def _groups(
    models: Models, order: Order, spoken: Sequence[Detection], recalled: Container[int]
) -> list[Group]:
    groups: dict[str, Group] = {}
    for place, (text, found) in enumerate(zip(order.texts, spoken, strict=True)):
        language = found.language
        if place in recalled or _stays(text, language, order):
            continue
        if language not in groups:
            translator = _chosen(models, language, order)
            groups[language] = Group(translator, [], order.text_options)
        groups[language].places.append(place)
    return list(groups.values())


def _chosen(models: Models, language: str, order: Order) -> Translator:
    return models.choose(language, order.target, order.model, order.preference)


def _stays(text: str, language: str, order: Order) -> bool:
    if not order.lenient and order.source.lower() != AUTO:
        return False
    return language.lower() == order.target.lower() or not has_words(text)


def _note(facts: Facts, groups: Sequence[Group]) -> None:
    """Tell metrics and log which model it was."""
    names = {group.translator.manifest.name for group in groups}
    pairs = {pair(group.translator.manifest) for group in groups}
    facts.model = names.pop() if len(names) == 1 else SEVERAL * bool(names)
    facts.pair = pairs.pop() if len(pairs) == 1 else SEVERAL * bool(pairs)
