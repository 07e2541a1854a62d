"""Languages as clients of other services name them."""

from mt.errors import InputError
from serving.models import Models
from serving.routing import AUTO
from serving.text import language_codes

MAX_LISTED = 20


def known(parameter: str, code: str, models: Models) -> str:
    """The models' own code of a language.

    Raises:
        InputError: no model has it; names the parameter and what there is.
    """
    found = language_codes.find(code, models.languages)
    if found is None:
        offered = ", ".join(models.languages[:MAX_LISTED])
        raise InputError(f"{parameter}: not supported; the languages are {offered}")
    return found


def known_or_auto(parameter: str, code: str | None, models: Models) -> str:
    """As `known`, where nothing or `auto` means that each text tells.

    Raises:
        InputError: as `known`.
    """
    if not code or code.lower() == AUTO:
        return AUTO
    return known(parameter, code, models)
