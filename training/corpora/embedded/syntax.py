"""The tree of a sentence, before it is French or English.

`french.py` and `english.py` each read a tree aloud; `sampler.py` grows trees by chance. A tree
holds what both need (who, what, tense, negation), so the two sides always mean the same. Named
tuples, because tens of thousands are made and remade.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from training.corpora.embedded.words import (
    Adjective,
    Adverb,
    Conjunction,
    Kind,
    Land,
    Name,
    Noun,
    PlaceName,
    Preposition,
    Tense,
    TimePhrase,
    Verb,
)


class Features(NamedTuple):
    """What verbs, adjectives and participles agree with; person is 1, 2 or 3."""

    person: int = 3
    plural: bool = False
    feminine: bool = False


class Determiner(Enum):
    """What opens a noun phrase; INDEFINITE with a mass noun is the partitive."""

    DEFINITE = auto()
    INDEFINITE = auto()
    THIS = auto()
    MY = auto()
    YOUR = auto()  # ton
    OUR = auto()
    YOUR_PLURAL = auto()  # votre
    THEIR = auto()
    TWO = auto()
    THREE = auto()
    MANY = auto()


class Negation(Enum):
    """ne ... pas, ne ... jamais, ne ... plus."""

    NOT = auto()
    NEVER = auto()
    NO_LONGER = auto()


class Question(Enum):
    """What a question asks; WHO and WHAT leave a gap in the clause."""

    WHETHER = auto()
    WHERE = auto()
    WHEN = auto()
    WHY = auto()
    WHO = auto()
    WHAT = auto()


class Pronoun(NamedTuple):
    """A personal pronoun; the kind tells him and her from it."""

    features: Features
    kind: Kind = Kind.HUMAN


class Gap(NamedTuple):
    """The place a relative or question word has left: (la lettre) que Jane a écrite __."""

    features: Features
    kind: Kind = Kind.HUMAN


class NounPhrase(NamedTuple):
    """Determiner, adjectives, noun, and at most one of an owner and a relative clause."""

    noun: Noun
    determiner: Determiner = Determiner.DEFINITE
    plural: bool = False
    adjectives: tuple[Adjective, ...] = ()
    owner: "NounPhrase | Name | None" = None
    relative: "Clause | None" = None

    @property
    def features(self) -> Features:
        """Third person, number and gender of the noun."""
        return Features(3, self.plural, self.noun.feminine)


class Position(NamedTuple):
    """On the table, behind the house."""

    preposition: Preposition
    landmark: NounPhrase


@dataclass(frozen=True)
class There:
    """The place already spoken of: y, there."""


Nominal = Name | NounPhrase | PlaceName | Pronoun | Gap
Place = PlaceName | NounPhrase | Position | There


class Clause(NamedTuple):
    """Subject, verb and what the verb's frame asks for.

    modal: vouloir or pouvoir, which then carries the tense; content: the clause after `que`.
    """

    subject: Nominal
    verb: Verb
    tense: Tense = Tense.PRESENT
    modal: Verb | None = None
    negation: Negation | None = None
    adverb: Adverb | None = None
    object: Nominal | None = None
    recipient: Nominal | None = None
    predicate: Adjective | None = None
    place: Place | None = None
    company: Nominal | None = None
    time: TimePhrase | None = None
    time_first: bool = False
    content: "Clause | None" = None


class Existential(NamedTuple):
    """Il y a un livre sur la table. Tense is present or imperfect."""

    theme: NounPhrase
    place: Place
    tense: Tense = Tense.PRESENT
    negation: Negation | None = None


class Presentation(NamedTuple):
    """C'est un bon livre. Tense is present or imperfect."""

    theme: NounPhrase | Name
    tense: Tense = Tense.PRESENT
    negation: Negation | None = None


AnyClause = Clause | Existential | Presentation
Joint = tuple[Conjunction, AnyClause]


class Sentence(NamedTuple):
    """Clauses joined in a row; a question has only one."""

    first: AnyClause
    joined: tuple[Joint, ...] = ()
    question: Question | None = None


def features(nominal: Nominal) -> Features:
    """What agrees with a nominal."""
    if isinstance(nominal, Name):
        return Features(feminine=nominal.feminine)
    if isinstance(nominal, PlaceName):
        return Features(plural=nominal.land is Land.PLURAL, feminine=nominal.land is Land.FEMININE)
    return nominal.features


def kind_of(nominal: Nominal) -> Kind:
    """What a nominal stands for."""
    if isinstance(nominal, NounPhrase):
        return nominal.noun.kind
    if isinstance(nominal, PlaceName):
        return Kind.SITE
    return nominal.kind if isinstance(nominal, Gap | Pronoun) else Kind.HUMAN
