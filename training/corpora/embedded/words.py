"""What the grammar knows about a word: its forms in both languages and what it goes with.

Two words are the same only when they are the same object, so equality is identity.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a noun stands for; verbs and adjectives choose among these."""

    HUMAN = auto()
    ANIMAL = auto()
    OBJECT = auto()
    FURNITURE = auto()
    PROPERTY = auto()
    TEXT = auto()
    FOOD = auto()
    DRINK = auto()
    SITE = auto()  # where one can go: à la gare


class Frame(Enum):
    """What a verb wants after it."""

    NOTHING = auto()  # dormir
    OBJECT = auto()  # acheter quelque chose, inviter quelqu'un
    RECIPIENT = auto()  # parler à quelqu'un
    GIFT = auto()  # donner quelque chose à quelqu'un
    GOAL = auto()  # aller quelque part
    SITE = auto()  # habiter quelque part
    ORIGIN = auto()  # venir de quelque part
    CONTENT = auto()  # penser que ...
    INFINITIVE = auto()  # vouloir faire
    PREDICATE = auto()  # être fatigué, être sur la table


class Tense(Enum):
    """French tenses; each has an English form of its own (see `english.verb_group`)."""

    PRESENT = auto()
    PERFECT = auto()  # passé composé
    IMPERFECT = auto()  # imparfait
    FUTURE = auto()  # futur proche


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun with both plurals; a mass noun has none and takes the partitive (du pain)."""

    fr: str
    fr_plural: str
    feminine: bool
    en: str
    en_plural: str
    kind: Kind
    mass: bool = False
    related: bool = True  # can be mine (ma gare), and would mean no more by it (ma femme)


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective; `rank` orders the English ones, `before_vowel` is bel, nouvel, vieil.

    lasting: one is honest or red, but not on Mondays.
    """

    masculine: str
    feminine: str
    en: str
    before_noun: bool
    rank: int
    kinds: frozenset[Kind]
    before_vowel: str
    lasting: bool


@dataclass(frozen=True, eq=False)
class EnglishVerb:
    """An English verb; the particle follows it at once (look for, go for a walk)."""

    base: str
    past: str
    gerund: str
    particle: str = ""


@dataclass(frozen=True, eq=False)
class Verb:
    """A French verb and its English one.

    present: the six persons, I to they; the imperfect follows from the fourth.
    stative: the imperfect is an English simple past (aimait, liked), never a progressive.
    """

    infinitive: str
    present: tuple[str, ...]
    participle: str
    en: EnglishVerb
    frame: Frame
    kinds: frozenset[Kind] = frozenset()
    subjects: frozenset[Kind] = frozenset({Kind.HUMAN})
    with_etre: bool = False
    reflexive: bool = False
    stative: bool = False


class Land(Enum):
    """How a place name takes its article and its prepositions."""

    CITY = auto()  # Paris, à Paris, de Paris
    FEMININE = auto()  # la France, en France, de France
    MASCULINE = auto()  # le Canada, au Canada, du Canada
    PLURAL = auto()  # les États-Unis, aux États-Unis, des États-Unis


@dataclass(frozen=True, eq=False)
class PlaceName:
    """A city, country or continent."""

    fr: str
    en: str
    land: Land


@dataclass(frozen=True, eq=False)
class Name:
    """A person's first name, the same in both languages."""

    text: str
    feminine: bool


@dataclass(frozen=True, eq=False)
class TimePhrase:
    """When; `tenses` it can go with."""

    fr: str
    en: str
    tenses: frozenset[Tense]


@dataclass(frozen=True, eq=False)
class Adverb:
    """How often: after the French finite verb, before the English main verb."""

    fr: str
    en: str


@dataclass(frozen=True, eq=False)
class Preposition:
    """Where, relative to a noun of these kinds."""

    fr: str
    en: str
    kinds: frozenset[Kind]


@dataclass(frozen=True, eq=False)
class Conjunction:
    """Joins two clauses.

    tenses: of the second clause, if the two must be of one time.
    """

    fr: str
    en: str
    subordinate: bool = False
    tenses: frozenset[Tense] = frozenset()
