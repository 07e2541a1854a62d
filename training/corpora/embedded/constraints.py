"""What may go with what, so that a tree makes sense and its French has one translation."""

from training.corpora.embedded.lexicon import PAST
from training.corpora.embedded.orthography import starts_with_vowel
from training.corpora.embedded.syntax import (
    AnyClause,
    Clause,
    Features,
    Negation,
    Nominal,
    NounPhrase,
    Pronoun,
    features,
    kind_of,
)
from training.corpora.embedded.words import Conjunction, Frame, Kind, Name, Tense, Verb

PEOPLE = tuple(
    Pronoun(Features(person, plural, feminine))
    for person in (1, 2, 3)
    for plural in (False, True)
    for feminine in (False, True)
)


def is_him_or_her(clause: AnyClause) -> bool:
    """Whether the clause is about just one person, named by it and of known gender."""
    if not isinstance(clause, Clause) or not clause.predicate:
        return False
    person = clause.subject
    bare = isinstance(person, Name) or (isinstance(person, NounPhrase) and not person.relative)
    return bare and kind_of(person) is Kind.HUMAN and not features(person).plural


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
    return is_third_singular(pronoun) and not shown and starts_with_vowel(clause.verb.infinitive)


def can_join(conjunction: Conjunction, one: AnyClause, other: AnyClause) -> bool:
    """Whether the tenses agree: quand and pendant que stay in the present or in the past."""
    if not conjunction.tenses:
        return True
    if not (isinstance(one, Clause) and isinstance(other, Clause)):
        return False
    same_time = (one.tense in PAST) == (other.tense in PAST)
    return same_time and one.tense is not Tense.FUTURE and other.tense in conjunction.tenses


def is_third_singular(pronoun: Pronoun) -> bool:
    """Whether it is he, she or it."""
    return pronoun.features.person == 3 and not pronoun.features.plural


def others(subject: Nominal) -> list[Pronoun]:
    """Pronouns that are not the subject again: I and we never stand beside me and us."""
    person = features(subject).person
    return [p for p in PEOPLE if person == 3 or p.features.person != person]
