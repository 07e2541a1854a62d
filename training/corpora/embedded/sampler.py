"""Trees grown by chance, so that they make sense often enough and always stay unambiguous."""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TypeVar

from training.corpora.embedded import french
from training.corpora.embedded.lexicon import (
    ADJECTIVES,
    ADVERBS,
    AIMER,
    CONJUNCTIONS,
    ETRE,
    NAMES,
    NOUNS,
    PAST,
    PLACE_NAMES,
    POUVOIR,
    PREPOSITIONS,
    TIMES,
    VERBS,
    VISITER,
    VOULOIR,
)
from training.corpora.embedded.orthography import starts_with_vowel
from training.corpora.embedded.syntax import (
    AnyClause,
    Clause,
    Determiner,
    Existential,
    Features,
    Gap,
    Joint,
    Negation,
    Nominal,
    NounPhrase,
    Place,
    Position,
    Presentation,
    Pronoun,
    Question,
    Sentence,
    There,
    features,
    is_human,
)
from training.corpora.embedded.words import (
    Adjective,
    Conjunction,
    Frame,
    Kind,
    Name,
    Noun,
    Tense,
    TimePhrase,
    Verb,
)

T = TypeVar("T")

_HUMAN = (Kind.HUMAN,)
_THINGS = tuple(kind for kind in Kind if kind is not Kind.HUMAN)
_SMALL = (Kind.ANIMAL, Kind.OBJECT, Kind.TEXT, Kind.FOOD)
_LARGE = (Kind.PROPERTY, Kind.SITE)
_OWNABLE = (Kind.ANIMAL, Kind.OBJECT, Kind.FURNITURE, Kind.PROPERTY, Kind.TEXT)
_NOUNS_OF = {kind: tuple(n for n in NOUNS if n.kind is kind) for kind in Kind}
_ADJECTIVES_OF = {kind: tuple(a for a in ADJECTIVES if kind in a.kinds) for kind in Kind}
_TIMES_OF = {tense: tuple(t for t in TIMES if tense in t.tenses) for tense in Tense}
_OBJECT_VERBS_OF = {
    kind: tuple(v for v in VERBS if v.frame is Frame.OBJECT and kind in v.kinds) for kind in Kind
}
_DOING_VERBS_OF = {
    kind: tuple(v for v in VERBS if v.frame is not Frame.CONTENT and kind in v.subjects)
    for kind in Kind
}
_THING_VERBS = tuple(v for v in VERBS if v.frame is Frame.OBJECT and Kind.HUMAN not in v.kinds)
_PLACE_VERBS = tuple(v for v in VERBS if v.frame in (Frame.GOAL, Frame.SITE))
_TELLING_VERBS = tuple(v for v in VERBS if v.frame in (Frame.RECIPIENT, Frame.GIFT))

_PEOPLE = tuple(
    Pronoun(Features(person, plural, feminine))
    for person in (1, 2, 3)
    for plural in (False, True)
    for feminine in (False, True)
)
_SPEAKERS = tuple(p for p in _PEOPLE if p.features.person < 3)
_IT_OR_THEM = tuple(
    Pronoun(Features(3, plural, feminine), human=False)
    for plural in (False, True)
    for feminine in (False, True)
)
_POSSESSIVES = (
    Determiner.MY,
    Determiner.YOUR,
    Determiner.OUR,
    Determiner.YOUR_PLURAL,
    Determiner.THEIR,
)
_COUNTS = (Determiner.TWO, Determiner.THREE, Determiner.MANY)
_QUESTIONS = tuple(Question)

_ACTION_TENSES = (
    *(Tense.PRESENT,) * 9,
    *(Tense.PERFECT,) * 5,
    *(Tense.IMPERFECT,) * 3,
    *(Tense.FUTURE,) * 3,
)
_STATE_TENSES = (*(Tense.PRESENT,) * 6, *(Tense.IMPERFECT,) * 3, Tense.FUTURE)
_NEGATIONS = (*(Negation.NOT,) * 3, Negation.NEVER, Negation.NO_LONGER)


class Sampler:
    """Grows trees from one random generator."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._names: list[Name] = []  # those still free in this sentence

    # Sentences

    def sentence(self, fewest: int, most: int) -> Sentence:
        """A sentence of so many French words: one clause, or clauses joined on until it is."""
        self._names.clear()
        if most <= 10 and self._chance(0.12):
            return self._fitting(self.question, most)
        tree = self._fitting(self._opening, most)
        words = count_words(tree)
        while words < fewest:
            last = tree.joined[-1][1] if tree.joined else tree.first
            joint = self.continuation(last)
            longer = words + count_words(joint)
            if longer <= most:
                tree, words = tree._replace(joined=(*tree.joined, joint)), longer
        return tree

    def _opening(self) -> Sentence:
        """A sentence of one clause; somebody's state oftener, for a remark to follow."""
        lone = self._chance(0.05)
        return Sentence(self.predication(self.person()) if lone else self.clause())

    def _fitting(self, draw: Callable[[], Sentence], most: int) -> Sentence:
        """Draw until it has no more words than that."""
        tree = draw()
        while count_words(tree) > most:
            tree = draw()
        return tree

    def continuation(self, last: AnyClause) -> Joint:
        """A conjunction and a clause that may follow the last one."""
        remark = self._chance(0.7) and is_him_or_her(last)
        clause = self.remark(last) if remark and isinstance(last, Clause) else self.clause()
        conjunction = self._one_of([c for c in CONJUNCTIONS if can_join(c, last, clause)])
        if isinstance(clause, Clause) and conjunction.subordinate:
            clause = clause._replace(time_first=False)
        if isinstance(clause, Clause) and conjunction.tenses:
            clause = clause._replace(time=None)  # the first clause has said when
        return conjunction, clause

    def remark(self, last: Clause) -> Clause:
        """Jane est malade, donc je lui parle: `lui` right after the one person it can mean."""
        her = Pronoun(features(last.subject)._replace(person=3))
        verb = self._one_of(_TELLING_VERBS)
        clause = self.action(verb, self._one_of(_SPEAKERS), nested=True)
        return clause._replace(recipient=her, company=None)

    def question(self) -> Sentence:
        """A question of one clause."""
        kind = self._one_of(_QUESTIONS)
        clause = self._asked(kind)
        negation = Negation.NOT if clause.negation and kind is Question.WHY else None
        return Sentence(clause._replace(negation=negation, adverb=None), question=kind)

    def _asked(self, kind: Question) -> Clause:
        if kind is Question.WHO:
            verb = self._one_of(_DOING_VERBS_OF[Kind.HUMAN])
            return self.action(verb, Gap(Features()), nested=True)
        if kind is Question.WHAT:
            return self.action(self._one_of(_THING_VERBS), self.person(), Gap(Features()))
        if kind is Question.WHERE:
            clause = self.action(self._one_of(_PLACE_VERBS), self.person(), nested=True)
            return clause._replace(place=None)
        verb = self._one_of(_DOING_VERBS_OF[Kind.HUMAN])
        clause = self.action(verb, self.person(), nested=True)
        return clause if kind is Question.WHETHER else clause._replace(time=None)

    # Clauses

    def clause(self) -> AnyClause:
        """Any statement."""
        draw = self._random.random()
        if draw < 0.05:
            return self.existential()
        if draw < 0.09:
            return self.presentation()
        if draw < 0.24:
            thing = self._chance(0.4)
            return self.predication(self.thing() if thing else self.person())
        verb = self._one_of(VERBS)
        return self.action(verb, self.subject(verb))

    def existential(self) -> Existential:
        """Il y a ..., rarely il n'y a pas de ..."""
        theme = self.noun_phrase((Kind.HUMAN, *_SMALL), nested=True)
        negation = Negation.NOT if self._chance(0.25) else None
        count = theme.plural and not negation and self._chance(0.3)
        determiner = self._one_of(_COUNTS) if count else Determiner.INDEFINITE
        theme = theme._replace(determiner=determiner, owner=None)
        return Existential(theme, self.whereabouts(theme), self._now_or_then(), negation)

    def presentation(self) -> Presentation:
        """C'est ..., rarely ce n'est pas ..."""
        theme: NounPhrase | Name = self.name()
        if self._chance(0.8):
            theme = self.noun_phrase((Kind.HUMAN, Kind.OBJECT, Kind.TEXT, Kind.SITE), plural=False)
        if isinstance(theme, NounPhrase) and theme.determiner is Determiner.THIS:
            theme = theme._replace(determiner=Determiner.INDEFINITE)
        negation = Negation.NOT if self._chance(0.25) else None
        return Presentation(theme, self._now_or_then(), negation)

    def predication(self, subject: Nominal, nested: bool = False) -> Clause:
        """Somebody or something is tired, red, on the table, in France."""
        said = self._chance(0.6)
        if said and isinstance(subject, NounPhrase):
            subject = subject._replace(adjectives=())  # no good orange is bad
        clause = self._circumstances(Clause(subject, ETRE, self._one_of(_STATE_TENSES)), nested)
        if not said:
            return clause._replace(place=self.whereabouts(subject), company=None)
        adjective = self.predicate(subject)
        return (lasting(clause) if adjective.lasting else clause)._replace(predicate=adjective)

    def action(
        self, verb: Verb, subject: Nominal, gap: Gap | None = None, nested: bool = False
    ) -> Clause:
        """A clause of any verb but être; a gap takes the direct object's place."""
        nested = nested or gap is not None
        clause = self._circumstances(self._tensed(verb, subject), nested)
        if verb.frame is Frame.CONTENT:
            plain = Clause(subject, verb)
            return plain if nested else plain._replace(content=self.reported())
        if verb.frame in (Frame.OBJECT, Frame.GIFT):
            clause = clause._replace(object=gap or self.direct_object(clause, nested))
        if verb.frame in (Frame.RECIPIENT, Frame.GIFT):
            clause = clause._replace(recipient=self.recipient(subject))
        if verb.frame in (Frame.GOAL, Frame.SITE, Frame.ORIGIN):
            clause = clause._replace(place=self.destination(verb))
        return clause

    def reported(self) -> Clause:
        """What is thought or known."""
        if self._chance(0.3):
            return self.predication(self.person(), nested=True)
        return self.action(self._one_of(_DOING_VERBS_OF[Kind.HUMAN]), self.person(), nested=True)

    def _tensed(self, verb: Verb, subject: Nominal) -> Clause:
        if verb.stative:
            return Clause(subject, verb, self._one_of(_STATE_TENSES))
        if self._chance(0.12):
            modal = self._one_of((VOULOIR, POUVOIR))
            return Clause(subject, verb, self._now_or_then(), modal)
        return Clause(subject, verb, self._one_of(_ACTION_TENSES))

    def _circumstances(self, clause: Clause, nested: bool) -> Clause:
        """Negation, adverb, company and time, those that go together."""
        if self._chance(0.2):
            clause = clause._replace(negation=self._one_of(_NEGATIONS))
        negation = clause.negation
        frequent = clause.tense in (Tense.PRESENT, Tense.PERFECT) and not clause.modal
        if frequent and negation in (None, Negation.NOT) and self._chance(0.12):
            return clause._replace(adverb=self._one_of(ADVERBS[:2] if negation else ADVERBS))
        if can_have_company(clause.verb) and self._chance(0.08):
            clause = clause._replace(company=self.company(clause.subject))
        if negation in (None, Negation.NOT) and self._chance(0.12 if nested else 0.32):
            clause = clause._replace(time=self.time(clause.tense))
            clause = clause._replace(time_first=not nested and self._chance(0.25))
        return clause

    def _now_or_then(self) -> Tense:
        return Tense.IMPERFECT if self._chance(0.3) else Tense.PRESENT

    # What stands in a clause

    def subject(self, verb: Verb) -> Nominal:
        """A person, or an animal where the verb allows one."""
        if Kind.ANIMAL in verb.subjects and self._chance(0.3):
            return self.noun_phrase((Kind.ANIMAL,))
        return self.person()

    def person(self) -> Nominal:
        """A name, a pronoun or a noun phrase."""
        draw = self._random.random()
        if draw < 0.4:
            return self.name()
        return self._one_of(_PEOPLE) if draw < 0.75 else self.noun_phrase(_HUMAN)

    def name(self) -> Name:
        """A name the sentence has not used yet, while there is one."""
        self._names = self._names or list(NAMES)
        return self._names.pop(int(self._random.random() * len(self._names)))

    def thing(self) -> NounPhrase:
        """A certain thing to say something of."""
        phrase = self.noun_phrase(_THINGS)
        unknown = phrase.determiner is Determiner.INDEFINITE
        return phrase._replace(determiner=Determiner.DEFINITE) if unknown else phrase

    def predicate(self, subject: Nominal) -> Adjective:
        """An adjective one says of the subject; of people only those after the noun."""
        if isinstance(subject, NounPhrase) and not is_human(subject):
            return self._one_of(_ADJECTIVES_OF[subject.noun.kind])
        return self._one_of([a for a in _ADJECTIVES_OF[Kind.HUMAN] if not a.before_noun])

    def direct_object(self, clause: Clause, nested: bool = False) -> Nominal:
        """A clitic, a name or a noun phrase, as the verb allows."""
        verb = clause.verb
        if Kind.HUMAN in verb.kinds:
            return self._whom(clause)
        if self._chance(0.2):
            return self._one_of(_IT_OR_THEM)
        if verb in (VISITER, AIMER) and self._chance(0.5):
            return self._one_of(PLACE_NAMES)
        phrase = self.noun_phrase(_ordered(verb.kinds), nested=nested)
        if verb is AIMER and phrase.determiner not in _POSSESSIVES:
            mass = phrase.noun.mass
            return phrase._replace(determiner=Determiner.DEFINITE, plural=not mass)
        if verb is VISITER and phrase.determiner is Determiner.INDEFINITE:
            return phrase._replace(determiner=Determiner.DEFINITE)
        return phrase

    def _whom(self, clause: Clause) -> Nominal:
        if self._chance(0.5):
            return self._one_of([p for p in _others(clause.subject) if not is_veiled(p, clause)])
        return self.name() if self._chance(0.5) else self.noun_phrase(_HUMAN, nested=True)

    def recipient(self, subject: Nominal) -> Nominal:
        """Whom one speaks or gives to; the clitic `lui` only in a remark."""
        if self._chance(0.45):
            return self._one_of([p for p in _others(subject) if not _third_singular(p)])
        return self.name() if self._chance(0.6) else self.noun_phrase(_HUMAN, nested=True)

    def company(self, subject: Nominal) -> Nominal:
        """With whom."""
        return self.name() if self._chance(0.4) else self._one_of(_others(subject))

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
        """The museum, rarely my school."""
        noun = self._one_of(_NOUNS_OF[Kind.SITE])
        return NounPhrase(noun, Determiner.DEFINITE)

    def whereabouts(self, of: Nominal) -> Place:
        """Where somebody or something is: small things on a table, a house behind another."""
        kind = of.noun.kind if isinstance(of, NounPhrase) else Kind.HUMAN
        if kind is Kind.HUMAN and self._chance(0.6):
            return self._one_of(PLACE_NAMES) if self._chance(0.5) else self.site()
        if kind in _SMALL:
            preposition = self._one_of(PREPOSITIONS)
        else:
            preposition = self._one_of(PREPOSITIONS[3 if kind in _LARGE else 2 :])
        landmark = self.noun_phrase(_ordered(preposition.kinds), nested=True, plural=False)
        return Position(preposition, landmark._replace(determiner=Determiner.DEFINITE))

    # The noun phrase

    def noun_phrase(
        self, kinds: Sequence[Kind], nested: bool = False, plural: bool | None = None
    ) -> NounPhrase:
        """A noun of these kinds with all that may stand around it."""
        noun = self._one_of(_NOUNS_OF[self._one_of(kinds)])
        if plural is None:
            plural = self._chance(0.3)
        plural = plural and not noun.mass
        phrase = NounPhrase(noun, self.determiner(noun, plural), plural, self.adjectives(noun))
        definite = phrase.determiner is Determiner.DEFINITE
        if definite and noun.kind in _OWNABLE and self._chance(0.3):
            return phrase._replace(owner=self.owner(noun))
        unowned = definite or phrase.determiner is Determiner.INDEFINITE
        if unowned and not nested and self._chance(0.12):
            return phrase._replace(relative=self.relative(phrase))
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
            return self._one_of(_COUNTS)
        return self._one_of(_POSSESSIVES) if noun.related else Determiner.DEFINITE

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

    def relative(self, head: NounPhrase) -> Clause:
        """A clause that lacks the head as its subject or its object."""
        gap = Gap(head.features)
        kind = head.noun.kind
        if _OBJECT_VERBS_OF[kind] and self._chance(0.5):
            return self.action(self._one_of(_OBJECT_VERBS_OF[kind]), self.person_simple(), gap)
        if _DOING_VERBS_OF[kind] and self._chance(0.8):
            return self.action(self._one_of(_DOING_VERBS_OF[kind]), gap, nested=True)
        return self.predication(gap, nested=True)._replace(
            predicate=None, place=self.whereabouts(head)
        )

    def person_simple(self) -> Nominal:
        """A person without adjectives or relative clause."""
        if self._chance(0.4):
            return self.name()
        if self._chance(0.6):
            return self._one_of(_PEOPLE)
        return NounPhrase(self._one_of(_NOUNS_OF[Kind.HUMAN]), plural=self._chance(0.3))

    def _one_of(self, options: Sequence[T]) -> T:
        return options[int(self._random.random() * len(options))]

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


def count_words(tree: Sentence | Joint) -> int:
    """French words as they are written, elided ones counted with the next."""
    text = french.sentence(tree) if isinstance(tree, Sentence) else french.joint(*tree)
    return len(text.removeprefix(",").split())


def is_him_or_her(clause: AnyClause) -> bool:
    """Whether the clause is about just one person, named by it and of known gender."""
    if not isinstance(clause, Clause) or not clause.predicate:
        return False
    person = clause.subject
    bare = isinstance(person, Name) or (isinstance(person, NounPhrase) and not person.relative)
    return bare and is_human(person) and not features(person).plural


def lasting(clause: Clause) -> Clause:
    """What one is for good: neither from tomorrow, nor often, nor on Mondays."""
    tense = Tense.PRESENT if clause.tense is Tense.FUTURE else clause.tense
    negation = Negation.NOT if clause.negation else None
    return clause._replace(tense=tense, negation=negation, adverb=None, time=None)


def can_have_company(verb: Verb) -> bool:
    """Whether one does it with somebody: working, eating; not waiting for a friend."""
    if verb.frame is Frame.OBJECT:
        return not verb.stative and Kind.HUMAN not in verb.kinds
    return verb.frame in (Frame.NOTHING, Frame.GOAL, Frame.SITE)


def is_veiled(pronoun: Pronoun, clause: Clause) -> bool:
    """Whether elision hides le or la (je l'invite) and no participle tells (je l'ai invitée)."""
    shown = clause.tense is Tense.PERFECT and not clause.modal
    return _third_singular(pronoun) and not shown and starts_with_vowel(clause.verb.infinitive)


def can_join(conjunction: Conjunction, one: AnyClause, other: AnyClause) -> bool:
    """Whether the tenses agree: quand and pendant que stay in the present or in the past."""
    if not conjunction.tenses:
        return True
    if not (isinstance(one, Clause) and isinstance(other, Clause)):
        return False
    same_time = (one.tense in PAST) == (other.tense in PAST)
    return same_time and one.tense is not Tense.FUTURE and other.tense in conjunction.tenses


def _third_singular(pronoun: Pronoun) -> bool:
    return pronoun.features.person == 3 and not pronoun.features.plural


def _others(subject: Nominal) -> list[Pronoun]:
    """Pronouns that are not the subject again: I and we never stand beside me and us."""
    person = features(subject).person
    return [p for p in _PEOPLE if person == 3 or p.features.person != person]


def _ordered(kinds: Iterable[Kind]) -> list[Kind]:
    """Sets have no order that two processes share."""
    return sorted(kinds, key=lambda kind: kind.value)
