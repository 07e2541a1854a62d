"""Words whose full stop does not end a sentence, even before a capital or a number.

Short on purpose: an abbreviation that may well end a sentence (etc., usw., Inc., a.m.) and one that
a small letter follows anyway are not here. Initials and dotted ones (J., z.B., e.g.) are known by
their form.
"""

from functools import cache

_BEFORE_NAME = {
    "en": "mr mrs ms messrs dr prof st gen col capt lt sgt maj cmdr adm gov sen rep rev hon pres "
    "supt sr jr mt vs cf viz approx dept univ",
    "fr": "MM mme mmes mlle mlles me mgr dr pr prof st ste sts stes gén cdt lt av bd boul "
    "cf env c.-à-d p.-ex",
    "de": "hr fr frl dr prof dipl ing st hl geb gest verh hrsg vgl bzw ca evtl ggf inkl exkl "
    "sog bspw insb allg v u d z h tel str abs bes zzt",
    "cs": "p pp pí sl dr mudr judr phdr ing mgr bc prof doc st sv tj tzn např resp tzv mj ca cca "
    "popř kupř zejm",
}
_BEFORE_NUMBER = {
    "en": "no nos vol vols fig figs p pp ch sec eq art par pt ref jan feb mar apr aug sept sep "
    "oct nov dec",
    "fr": "n no nos nº n° vol fig p pp chap art al par éq réf t janv févr avr juil sept oct "
    "nov déc",
    "de": "nr nrn bd bde abb tab s seite kap art abs ziff hs jh anm vol st jan feb mär apr aug "
    "sept okt nov dez",
    "cs": "č čís str obr tab sv odst čl kap roč s r",
}
_ORDINALS = frozenset(
    ["de", "da", "no", "nb", "nn", "fi", "cs", "sk", "sl", "hr", "sr", "bs", "pl", "hu", "et", "lv"]
)


@cache
def before_name(language: str) -> frozenset[str]:
    """Abbreviations that stand before a name or in mid-sentence, in small letters but for MM."""
    return _of(_BEFORE_NAME, language)


@cache
def before_number(language: str) -> frozenset[str]:
    """Abbreviations that stand before a number, in small letters."""
    return _of(_BEFORE_NUMBER, language)


def has_dotted_ordinals(language: str) -> bool:
    """Whether "3." may mean "third", as in "am 3. Oktober"."""
    return _primary(language) in _ORDINALS


def _of(words: dict[str, str], language: str) -> frozenset[str]:
    """The words of one language; those of all where the language is not told or not known."""
    known = words.get(_primary(language))
    return frozenset((known or " ".join(words.values())).split())


def _primary(language: str) -> str:
    return language.partition("-")[0]
