"""Errors, as callers see them.

* MTError                 the root; the command line prints one line and exits with 2
  - ConfigError           a recipe, setting or flag: fix the file; names file and dotted key
  - CorpusError           a corpus: names file and line
  - CheckpointError       a training run on disk: says which part and what to do
  - BundleError           an exported model folder: export again
  - InputError            text that cannot be translated: HTTP 422
  - UnknownModelError     no such language pair or model: HTTP 404
  - UnknownGlossaryError  the caller has no such glossary: HTTP 404
  - KeyRequiredError      no API key where one is needed: HTTP 401
  - KeyRefusedError       an API key that is not accepted: HTTP 401
  - ForbiddenError        an API key without the right to do that: HTTP 403
  - QuotaError            a key's characters of this month are used up: HTTP 429
  - OverloadedError       too much waiting already: HTTP 429, retry after `retry_after_s`
    - RateLimitError      too much from one caller in a minute: the same
  - UnavailableError      not ready yet, or draining: HTTP 503, retry
  - DeadlineError         the answer would come too late: HTTP 504
  - EngineError           our fault: HTTP 500

Messages say what is wrong and what to do. They never repeat the text to be translated.
"""


class MTError(Exception):
    """Root of every error this project raises on purpose."""


class ConfigError(MTError):
    """A recipe, settings file or flag is wrong; the message names file and dotted key."""


class CorpusError(MTError):
    """A corpus cannot be read or used; the message names file and line where there is one."""


class CheckpointError(MTError):
    """A training run on disk is missing, damaged or belongs to another recipe."""


class BundleError(MTError):
    """An exported model folder is missing, changed or of an unknown schema."""


class InputError(MTError):
    """The text or its options cannot be translated as they are."""


class UnknownModelError(MTError):
    """No loaded model has that name or language pair."""


class UnknownGlossaryError(MTError):
    """The caller has no glossary of that id, or it has no dictionary for those languages."""


class KeyRequiredError(MTError):
    """There is no API key, and one is needed."""


class KeyRefusedError(MTError):
    """The API key is unknown, revoked or expired."""


class ForbiddenError(MTError):
    """The API key does not open this."""


class QuotaError(MTError):
    """The characters of this month are used up; there are more after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OverloadedError(MTError):
    """The queue is full; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimitError(OverloadedError):
    """One caller asked for too much in a minute."""


class UnavailableError(MTError):
    """The service is starting or draining; try again."""


class DeadlineError(MTError):
    """The deadline passed before the translation was finished."""


class EngineError(MTError):
    """The engine failed; the request was right and may be sent again."""
