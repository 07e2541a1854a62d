"""Names, noun phrases, places and times, drawn by chance."""

from collections.abc import Collection, Sequence
from random import Random
from typing import TypeVar

from training.corpora.embedded.constraints import PEOPLE, others
from training.corpora.embedded.lexicon import (
    ADJECTIVES,
    NAMES,
    NOUNS,
    PLACE_NAMES,
    PREPOSITIONS,
    TIMES,
)
from training.corpora.embedded.syntax import (
    Determiner,
    Nominal,
    NounPhrase,
    Place,
    Position,
    There,
    kind_of,
)
from training.corpora.embedded.words import (
    Adjective,
    Frame,
    Kind,
    Name,
    Noun,
    Tense,
    TimePhrase,
    Verb,
)

T = TypeVar("T")

HUMAN = (Kind.HUMAN,)
THINGS = tuple(kind for kind in Kind if kind is not Kind.HUMAN)
SMALL = (Kind.ANIMAL, Kind.OBJECT, Kind.TEXT, Kind.FOOD)
_LARGE = (Kind.PROPERTY, Kind.SITE)
_OWNABLE = (Kind.ANIMAL, Kind.OBJECT, Kind.FURNITURE, Kind.PROPERTY, Kind.TEXT)
_NOUNS_OF = {kind: tuple(n for n in NOUNS if n.kind is kind) for kind in Kind}
_ADJECTIVES_OF = {kind: tuple(a for a in ADJECTIVES if kind in a.kinds) for kind in Kind}
_TIMES_OF = {tense: tuple(t for t in TIMES if tense in t.tenses) for tense in Tense}
POSSESSIVES = (
    Determiner.MY,
    Determiner.YOUR,
    Determiner.OUR,
    Determiner.YOUR_PLURAL,
    Determiner.THEIR,
)
COUNTS = (Determiner.TWO, Determiner.THREE, Determiner.MANY)


class PhraseSampler:
    """Draws what stands in a clause."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._names: list[Name] = []  # those still free in this sentence

    # Who and what

    def person(self) -> Nominal:
        """A name, a pronoun or a noun phrase."""
        draw = self._random.random()
        if draw < 0.4:
            return self.name()
        return self._one_of(PEOPLE) if draw < 0.75 else self.noun_phrase(HUMAN)

    def name(self) -> Name:
        """A name the sentence has not used yet, while there is one."""
        self._names = self._names or list(NAMES)
        return self._names.pop(int(self._random.random() * len(self._names)))

    def noun_phrase(self, kinds: Collection[Kind], plural: bool | None = None) -> NounPhrase:
        """A noun of these kinds with its determiner, adjectives and perhaps an owner."""
        noun = self._one_of(_NOUNS_OF[self._one_of(_ordered(kinds))])
        if plural is None:
            plural = self._chance(0.3)
        plural = plural and not noun.mass
        phrase = NounPhrase(noun, self.determiner(noun, plural), plural, self.adjectives(noun))
        definite = phrase.determiner is Determiner.DEFINITE
        if definite and noun.kind in _OWNABLE and self._chance(0.3):
            return phrase._replace(owner=self.owner(noun))
        return phrase

    def determiner(self, noun: Noun, plural: bool) -> Determiner:
        """An article mostly."""
        draw = self._random.random()
        if draw < 0.45:
            return Determiner.DEFINITE
        if draw < 0.7:
            return Determiner.INDEFINITE
        if draw < 0.78:
            return Determiner.THIS
        if plural and draw > 0.9:
            return self._one_of(COUNTS)
        return self._one_of(POSSESSIVES) if noun.related else Determiner.DEFINITE

    def adjectives(self, noun: Noun) -> tuple[Adjective, ...]:
        """None mostly, sometimes one, rarely one before and one after the noun."""
        if not self._chance(0.3):
            return ()
        first = self._one_of(_ADJECTIVES_OF[noun.kind])
        second = self._one_of(_ADJECTIVES_OF[noun.kind])
        two = first.before_noun and not second.before_noun and first.rank != second.rank
        return (first, second) if two and self._chance(0.3) else (first,)

    def owner(self, noun: Noun) -> NounPhrase | Name:
        """Somebody, or the place something belongs to."""
        if self._chance(0.6):
            return self.name()
        if noun.kind in (Kind.FURNITURE, Kind.PROPERTY) and self._chance(0.4):
            return self.site()
        return NounPhrase(self._one_of(_NOUNS_OF[Kind.HUMAN]), plural=self._chance(0.3))

    def predicate(self, subject: Nominal) -> Adjective:
        """An adjective one says of the subject; of people only those after the noun."""
        kind = kind_of(subject)
        if kind is Kind.HUMAN:
            return self._one_of([a for a in _ADJECTIVES_OF[kind] if not a.before_noun])
        return self._one_of(_ADJECTIVES_OF[kind])

    def company(self, subject: Nominal) -> Nominal:
        """With whom."""
        return self.name() if self._chance(0.4) else self._one_of(others(subject))

    # When and where

    def time(self, tense: Tense) -> TimePhrase:
        """When, as the tense allows."""
        return self._one_of(_TIMES_OF[tense])

    def destination(self, verb: Verb) -> Place:
        """Where one goes, comes from or lives."""
        if verb.frame is not Frame.ORIGIN and self._chance(0.15):
            return There()
        if Kind.SITE in verb.kinds and self._chance(0.5):
            return self.site()
        return self._one_of(PLACE_NAMES)

    def site(self) -> NounPhrase:
        """The museum, the school."""
        noun = self._one_of(_NOUNS_OF[Kind.SITE])
        return NounPhrase(noun, Determiner.DEFINITE)

    def whereabouts(self, of: Nominal) -> Place:
        """Where somebody or something is: small things on a table, a house behind another."""
        kind = kind_of(of)
        if kind is Kind.HUMAN and self._chance(0.6):
            return self._one_of(PLACE_NAMES) if self._chance(0.5) else self.site()
        first = 0 if kind in SMALL else 3 if kind in _LARGE else 2  # sur sous dans devant ...
        preposition = self._one_of(PREPOSITIONS[first:])
        landmark = self.noun_phrase(preposition.kinds, plural=False)
        return Position(preposition, landmark._replace(determiner=Determiner.DEFINITE))

    # Chance

    def _one_of(self, options: Sequence[T]) -> T:
        return options[int(self._random.random() * len(options))]

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


def _ordered(kinds: Collection[Kind]) -> list[Kind]:
    """Sets have no order that two processes share."""
    return sorted(kinds, key=lambda kind: kind.value)
