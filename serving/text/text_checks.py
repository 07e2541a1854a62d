"""What is refused at the door, before work is queued. Messages name the text, never quote it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from mt.config import describe
from mt.errors import InputError
from mt.search_options import SearchOptions
from serving.settings import Limits

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """Refuse what no model could read, and more than a request may hold.

    Raises:
        InputError: names the first bad text by its index.
    """
    if isinstance(texts, str):
        raise InputError("texts must be a list of strings, not one string")
    if len(texts) > limits.max_texts:
        raise InputError(f"{len(texts)} texts, at most {limits.max_texts} in one request")
    for index, text in enumerate(texts):
        if (problem := _problem(text, limits)) is not None:
            raise InputError(f"texts[{index}]: {problem}")
    if (total := sum(map(len, texts))) > limits.max_total_chars:
        raise InputError(f"{total} characters in all, at most {limits.max_total_chars}")


def check_options(options: SearchOptions, limits: Limits) -> None:
    """Refuse a search that is wider than this service allows.

    Raises:
        InputError: names the option and its limit.
    """
    if options.beam_size > limits.max_beam_size:
        raise InputError(f"beam_size is {options.beam_size}, at most {limits.max_beam_size}")
    if options.n_best > limits.max_n_best:
        raise InputError(f"n_best is {options.n_best}, at most {limits.max_n_best}")
    most = min(limits.max_beam_size, limits.max_n_best)  # a sample is a row, and an answer
    if options.samples > most:
        raise InputError(f"samples is {options.samples}, at most {most}")


def check_work(texts: Sequence[str], options: SearchOptions, most: int) -> None:
    """Refuse long texts and a wide search together, each of which would be allowed alone.

    Raises:
        InputError: says how much they are.
    """
    characters = sum(map(len, texts))
    if (work := characters * options.rows) > most:
        raise InputError(
            f"{characters} characters times {options.rows} hypotheses are {work}, at most {most}; "
            "send fewer, or ask for a smaller beam_size, n_best or samples"
        )


def search_options(values: Mapping[str, Any], limits: Limits) -> SearchOptions:
    """Search options of plain values, such as a request body's.

    Raises:
        InputError: names every option that is out of range.
    """
    try:
        options = SearchOptions.model_validate(values)
    except ValidationError as error:
        raise InputError(describe(error)) from None
    check_options(options, limits)
    return options


def has_words(sentence: str) -> bool:
    """Whether there is a letter or a digit, so that there is something to translate."""
    return any(character.isalnum() for character in sentence)


def has_letters(text: str) -> bool:
    """Whether there is a letter; figures, marks and pictures alone need no translation."""
    return any(character.isalpha() for character in text)


def _problem(text: object, limits: Limits) -> str | None:
    if not isinstance(text, str):
        return f"is {type(text).__name__}, not text"
    if len(text) > limits.max_text_chars:
        return f"{len(text)} characters, at most {limits.max_text_chars}"
    if found := _CONTROL.search(text):
        code = f"U+{ord(found.group()):04X}"
        return f"control character {code} at position {found.start()}; remove it"
    if found := _SURROGATE.search(text):
        return f"half of a surrogate pair at position {found.start()}; send valid Unicode"
    return None
