"""What went wrong in a step, as it may be logged and as callers are told."""

import traceback
from pathlib import Path

from mt.errors import EngineError, MTError


class CoreDiedError(EngineError):
    """The process of a core is no more: by what it computed, or because somebody ended it."""


def describe(error: BaseException) -> str:
    """Type and place of an error. Its message might repeat what was to be translated."""
    if notes := getattr(error, "__notes__", None):  # it comes from elsewhere, which knew the place
        return "; ".join(notes)
    place = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error).__name__ + "".join(f" at {Path(p.filename).name}:{p.lineno}" for p in place)


def as_ours(error: Exception) -> MTError:
    """The error itself where it is one of ours, else one that says what to do."""
    if isinstance(error, MTError):
        return error
    ours = EngineError("the model failed on this text; try again, or report it with the log")
    ours.__cause__ = error
    return ours
