"""Sentences and clauses grown by chance; french.py and english.py then read them aloud."""

from collections.abc import Callable

from training.corpora.embedded import french
from training.corpora.embedded.constraints import (
    PEOPLE,
    can_have_company,
    can_join,
    is_him_or_her,
    is_third_singular,
    is_veiled,
    lasting,
    others,
)
from training.corpora.embedded.lexicon import (
    ADVERBS,
    AIMER,
    CONJUNCTIONS,
    ETRE,
    PLACE_NAMES,
    POUVOIR,
    VERBS,
    VISITER,
    VOULOIR,
)
from training.corpora.embedded.phrases import (
    COUNTS,
    HUMAN,
    POSSESSIVES,
    SMALL,
    THINGS,
    PhraseSampler,
)
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
    Presentation,
    Pronoun,
    Question,
    Sentence,
    features,
)
from training.corpora.embedded.words import Frame, Kind, Name, Tense, Verb

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
_SPEAKERS = tuple(p for p in PEOPLE if p.features.person < 3)
_IT_OR_THEM = tuple(
    Pronoun(Features(3, plural, feminine), Kind.OBJECT)
    for plural in (False, True)
    for feminine in (False, True)
)
_QUESTIONS = tuple(Question)
_ACTION_TENSES = (
    *(Tense.PRESENT,) * 9,
    *(Tense.PERFECT,) * 5,
    *(Tense.IMPERFECT,) * 3,
    *(Tense.FUTURE,) * 3,
)
_STATE_TENSES = (*(Tense.PRESENT,) * 6, *(Tense.IMPERFECT,) * 3, Tense.FUTURE)
_NEGATIONS = (*(Negation.NOT,) * 3, Negation.NEVER, Negation.NO_LONGER)


class Sampler(PhraseSampler):
    """Grows trees from one random generator."""

    # Sentences

    def sentence(self, fewest: int, most: int) -> Sentence:
        """A sentence of so many French words: one clause, or clauses joined on until it is."""
        self._names.clear()
        if most <= 10 and self._chance(0.12):
            return self._fitting(self.question, most)[0]
        tree, words = self._fitting(self._opening, most)
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

    def _fitting(self, draw: Callable[[], Sentence], most: int) -> tuple[Sentence, int]:
        """Draw until it has no more words than that; the sentence and its words."""
        while True:
            tree = draw()
            words = count_words(tree)
            if words <= most:
                return tree, words

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
            return self.predication(self.thing() if self._chance(0.4) else self.somebody())
        verb = self._one_of(VERBS)
        return self.action(verb, self.subject(verb))

    def existential(self) -> Existential:
        """Il y a ..., rarely il n'y a pas de ..."""
        theme = self.noun_phrase((Kind.HUMAN, *SMALL))
        negation = Negation.NOT if self._chance(0.25) else None
        count = theme.plural and not negation and self._chance(0.3)
        determiner = self._one_of(COUNTS) if count else Determiner.INDEFINITE
        theme = theme._replace(determiner=determiner, owner=None)
        return Existential(theme, self.whereabouts(theme), self._now_or_then(), negation)

    def presentation(self) -> Presentation:
        """C'est ..., rarely ce n'est pas ..."""
        theme: NounPhrase | Name = self.name()
        if self._chance(0.8):
            phrase = self.noun_phrase((Kind.HUMAN, Kind.OBJECT, Kind.TEXT, Kind.SITE), plural=False)
            if phrase.determiner is Determiner.THIS:
                phrase = phrase._replace(determiner=Determiner.INDEFINITE)
            theme = self.qualified(phrase)
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
            clause = clause._replace(negation=self.negation(clause))
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

    def negation(self, clause: Clause) -> Negation:
        """Mostly ne ... pas; jamais only where English is not left with `was never eating`."""
        progressive = clause.tense is Tense.IMPERFECT and not clause.verb.stative
        return Negation.NOT if progressive else self._one_of(_NEGATIONS)

    def _now_or_then(self) -> Tense:
        return Tense.IMPERFECT if self._chance(0.3) else Tense.PRESENT

    # What stands in a clause

    def subject(self, verb: Verb) -> Nominal:
        """A person, or an animal where the verb allows one."""
        if Kind.ANIMAL in verb.subjects and self._chance(0.3):
            return self.qualified(self.noun_phrase((Kind.ANIMAL,)))
        return self.somebody()

    def somebody(self) -> Nominal:
        """A person, a phrase for whom may have a relative clause."""
        person = self.person()
        return self.qualified(person) if isinstance(person, NounPhrase) else person

    def thing(self) -> NounPhrase:
        """A certain thing to say something of."""
        phrase = self.noun_phrase(THINGS)
        if phrase.determiner is Determiner.INDEFINITE:
            phrase = phrase._replace(determiner=Determiner.DEFINITE)
        return self.qualified(phrase)

    def direct_object(self, clause: Clause, nested: bool = False) -> Nominal:
        """A clitic, a name or a noun phrase, as the verb allows."""
        verb = clause.verb
        if Kind.HUMAN in verb.kinds:
            return self._whom(clause)
        if self._chance(0.2):
            return self._one_of(_IT_OR_THEM)
        if verb in (VISITER, AIMER) and self._chance(0.5):
            return self._one_of(PLACE_NAMES)
        phrase = self.noun_phrase(verb.kinds, plural=True if verb is AIMER else None)
        if verb is AIMER and phrase.determiner not in POSSESSIVES:
            phrase = phrase._replace(determiner=Determiner.DEFINITE)
        if verb is VISITER and phrase.determiner is Determiner.INDEFINITE:
            phrase = phrase._replace(determiner=Determiner.DEFINITE)
        return phrase if nested else self.qualified(phrase)

    def _whom(self, clause: Clause) -> Nominal:
        if self._chance(0.5):
            return self._one_of([p for p in others(clause.subject) if not is_veiled(p, clause)])
        return self.name() if self._chance(0.5) else self.noun_phrase(HUMAN)

    def recipient(self, subject: Nominal) -> Nominal:
        """Whom one speaks or gives to; the clitic `lui` only in a remark."""
        if self._chance(0.45):
            return self._one_of([p for p in others(subject) if not is_third_singular(p)])
        return self.name() if self._chance(0.6) else self.noun_phrase(HUMAN)

    def relative(self, head: NounPhrase) -> Clause:
        """A clause that lacks the head as its object or its subject."""
        gap, kind = Gap(head.features, head.noun.kind), head.noun.kind
        if _OBJECT_VERBS_OF[kind] and self._chance(0.5):
            return self.action(self._one_of(_OBJECT_VERBS_OF[kind]), self.person(), gap)
        if _DOING_VERBS_OF[kind] and self._chance(0.7):
            return self.action(self._one_of(_DOING_VERBS_OF[kind]), gap, nested=True)
        return self.predication(gap, nested=True)

    def qualified(self, phrase: NounPhrase) -> NounPhrase:
        """Sometimes with a relative clause."""
        known = phrase.determiner in (Determiner.DEFINITE, Determiner.INDEFINITE)
        if known and not phrase.owner and self._chance(0.12):
            return phrase._replace(relative=self.relative(phrase))
        return phrase


def count_words(tree: Sentence | Joint) -> int:
    """French words as they are written, elided ones counted with the next."""
    text = french.sentence(tree) if isinstance(tree, Sentence) else french.joint(*tree)
    return len(text.removeprefix(",").split())
