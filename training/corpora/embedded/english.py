"""A tree read aloud in English."""

from dataclasses import dataclass
from functools import cache

from training.corpora.embedded.inflection import add_s
from training.corpora.embedded.lexicon import AIMER, ETRE, POUVOIR
from training.corpora.embedded.orthography import join, spell_english
from training.corpora.embedded.syntax import (
    AnyClause,
    Clause,
    Determiner,
    Existential,
    Features,
    Gap,
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
    kind_of,
)
from training.corpora.embedded.words import EnglishVerb, Frame, Kind, Name, PlaceName, Tense, Verb

_DETERMINERS = {  # singular, plural
    Determiner.DEFINITE: ("the", "the"),
    Determiner.INDEFINITE: ("a", "some"),
    Determiner.THIS: ("this", "these"),
    Determiner.MY: ("my", "my"),
    Determiner.YOUR: ("your", "your"),
    Determiner.OUR: ("our", "our"),
    Determiner.YOUR_PLURAL: ("your", "your"),
    Determiner.THEIR: ("their", "their"),
    Determiner.TWO: ("", "two"),
    Determiner.THREE: ("", "three"),
    Determiner.MANY: ("", "many"),
}
_NEGATION = {Negation.NOT: "not", Negation.NEVER: "never", Negation.NO_LONGER: "no longer"}
_QUESTION = {Question.WHERE: "where", Question.WHEN: "when", Question.WHY: "why"}


def sentence(tree: Sentence) -> str:
    """The whole sentence as it is written."""
    if tree.question:
        assert isinstance(tree.first, Clause)  # nosec B101 # for mypy
        return spell_english(question(tree.first, tree.question), "?")
    words = join([clause(tree.first), *(f"{c.en} {clause(next_)}" for c, next_ in tree.joined)])
    return spell_english(words, ".")


def question(tree: Clause, kind: Question) -> str:
    """Who visits Rome? What does Jane eat? Where do you live?"""
    if kind is Question.WHO:
        return f"who {clause(tree)}"
    opener = "what" if kind is Question.WHAT else _QUESTION.get(kind, "")
    group = verb_group(tree, inverted=True)
    parts = [opener, group.auxiliary, subject(tree.subject), group.rest, complements(tree)]
    return join([*parts, tree.time.en if tree.time else ""])


def clause(tree: AnyClause) -> str:
    """Any clause."""
    if isinstance(tree, Existential):
        return existential(tree)
    if isinstance(tree, Presentation):
        return presentation(tree)
    time = tree.time.en if tree.time else ""
    group = verb_group(tree)
    core = join([subject(tree.subject), group.auxiliary, group.rest, complements(tree)])
    if time and tree.time_first:
        return f"{time} , {core}"
    return join([core, time, f"that {clause(tree.content)}" if tree.content else ""])


def existential(tree: Existential) -> str:
    """There is a cat; there were no cats."""
    be = finite(ETRE.en, past=tree.tense is Tense.IMPERFECT, f=tree.theme.features)
    theme = noun_phrase(tree.theme)
    if tree.negation:
        theme = f"no {noun_phrase(tree.theme, bare=True)}"
    return join(["there", be, theme, place(tree.place, motion=False)])


def presentation(tree: Presentation) -> str:
    """It is Jane; it was not a cat."""
    be = finite(ETRE.en, past=tree.tense is Tense.IMPERFECT, f=Features())
    return join(["it", be, _NEGATION[tree.negation] if tree.negation else "", nominal(tree.theme)])


# The noun phrase


def nominal(tree: Nominal) -> str:
    """A name, a place, a noun phrase, an object pronoun; nothing where there is a gap."""
    if isinstance(tree, Name):
        return tree.text
    if isinstance(tree, PlaceName):
        return tree.en
    if isinstance(tree, NounPhrase):
        return noun_phrase(tree)
    return object_pronoun(tree) if isinstance(tree, Pronoun) else ""


def noun_phrase(tree: NounPhrase, bare: bool = False, negated: bool = False) -> str:
    """Determiner or owner, adjectives, noun, relative clause; `bare` has no determiner."""
    noun = tree.noun.en_plural if tree.plural else tree.noun.en
    adjectives = (a.en for a in sorted(tree.adjectives, key=lambda a: a.rank))
    before, after = ("", "") if bare else (determiner(tree, negated), "")
    if tree.owner and kind_of(tree.owner) is Kind.HUMAN:
        before = genitive(nominal(tree.owner))
    elif tree.owner:
        after = f"of {nominal(tree.owner)}"
    return join([before, *adjectives, noun, after, relative(tree)])


def determiner(tree: NounPhrase, negated: bool = False) -> str:
    """The determiner; an indefinite plural or mass is some, and any after a negation."""
    singular, plural = _DETERMINERS[tree.determiner]
    if not (tree.plural or tree.noun.mass):
        return singular
    if tree.determiner is Determiner.INDEFINITE and negated:
        return "any"
    if tree.noun.mass and tree.determiner is not Determiner.INDEFINITE:
        return singular
    return plural


def genitive(owner: str) -> str:
    """Jane's, the neighbours', the children's."""
    return owner + ("'" if owner.endswith("s") and owner[0].islower() else "'s")


def relative(tree: NounPhrase) -> str:
    """Who for a person who acts; that for all the rest."""
    if not tree.relative:
        return ""
    acts = isinstance(tree.relative.subject, Gap)
    opener = "who" if acts and tree.noun.kind is Kind.HUMAN else "that"
    return f"{opener} {clause(tree.relative)}"


def subject(tree: Nominal) -> str:
    """The subject: I, you, he, she ... or any nominal."""
    return (
        _pronoun(tree, "I you he we you they", "she")
        if isinstance(tree, Pronoun)
        else nominal(tree)
    )


def object_pronoun(tree: Pronoun) -> str:
    """Me, you, him, her, it, us, them."""
    if tree.kind is not Kind.HUMAN and not tree.features.plural:
        return "it"
    return _pronoun(tree, "me you him us you them", "her")


def _pronoun(tree: Pronoun, six: str, feminine: str) -> str:
    f = tree.features
    third = f.person == 3 and not f.plural
    return feminine if third and f.feminine else six.split()[f.person - 1 + 3 * f.plural]


# The verb


@dataclass(frozen=True)
class VerbGroup:
    """The auxiliary, which a question puts before the subject, and what stays behind it."""

    auxiliary: str
    rest: str


@cache
def finite(verb: EnglishVerb, past: bool, f: Features) -> str:
    """Simple present or simple past; only be has more than two forms."""
    third = f.person == 3 and not f.plural
    if verb.base == "be":
        if past:
            return "was" if third or (f.person == 1 and not f.plural) else "were"
        return "is" if third else "am" if f.person == 1 and not f.plural else "are"
    if past:
        return verb.past
    if third:
        return "has" if verb.base == "have" else add_s(verb.base)
    return verb.base


def verb_group(tree: Clause, inverted: bool = False) -> VerbGroup:
    """Each French tense in its one English form, with do where not or a question asks for it.

    present: visits; passé composé: visited; imparfait: was visiting (stative: liked);
    futur proche: is going to visit; vouloir: wants to visit; pouvoir: can visit.
    """
    negation = _NEGATION[tree.negation] if tree.negation else ""
    adverb = tree.adverb.en if tree.adverb else ""
    auxiliary, main = periphrasis(tree)
    if not auxiliary:
        auxiliary, main = simple(tree, with_do=inverted or tree.negation is Negation.NOT)
    if auxiliary == "can" and negation == "not" and not inverted:
        auxiliary, negation = "cannot", ""
    return VerbGroup(auxiliary, join([negation, adverb, main]))


def periphrasis(tree: Clause) -> tuple[str, str]:
    """Auxiliary and main verb where English has an auxiliary anyway; empty where it has none."""
    f = features(tree.subject)
    past = tree.tense is not Tense.PRESENT
    if tree.modal is POUVOIR:
        return finite(POUVOIR.en, past, f._replace(person=1)), _with_particle(tree.verb)
    if tree.modal:
        return "", ""
    if tree.tense is Tense.FUTURE:
        return finite(ETRE.en, False, f), f"going to {_with_particle(tree.verb)}"
    if tree.verb is ETRE:
        return finite(ETRE.en, past, f), ""
    if tree.tense is Tense.IMPERFECT and not tree.verb.stative:
        return finite(ETRE.en, True, f), _with_particle(tree.verb, tree.verb.en.gerund)
    return "", ""


def simple(tree: Clause, with_do: bool) -> tuple[str, str]:
    """Simple present or past, of the verb or of wanting to; with do it is do that is finite."""
    f = features(tree.subject)
    past = tree.tense is not Tense.PRESENT
    head = tree.modal or tree.verb
    tail = _with_particle(tree.verb) if tree.modal else ""
    auxiliary = finite(_DO, past, f) if with_do else ""
    form = head.en.base if with_do else finite(head.en, past, f)
    return auxiliary, join([_with_particle(head, form), tail])


_DO = EnglishVerb("do", "did", "doing")


def _with_particle(verb: Verb, form: str = "") -> str:
    return join([form or verb.en.base, verb.en.particle])


def complements(tree: Clause) -> str:
    """What follows the verb: predicate, object and recipient, place, company."""
    parts = [tree.predicate.en if tree.predicate else "", *objects(tree)]
    if tree.place:
        parts.append(
            place(tree.place, tree.verb.frame is Frame.GOAL, tree.verb.frame is Frame.ORIGIN)
        )
    if tree.company:
        parts.append(f"with {nominal(tree.company)}")
    return join(parts)


def objects(tree: Clause) -> list[str]:
    """A book to Jane; it to her; but her a book."""
    direct = direct_object(tree)
    recipient = nominal(tree.recipient) if tree.recipient else ""
    if not recipient or tree.verb.frame is Frame.RECIPIENT:
        return [direct, recipient]
    if isinstance(tree.recipient, Pronoun) and isinstance(tree.object, NounPhrase):
        return [recipient, direct]
    return [direct, f"to {recipient}"]


def direct_object(tree: Clause) -> str:
    """The direct object; what one likes in general has no article (aime le pain, likes bread)."""
    if not isinstance(tree.object, NounPhrase):
        return nominal(tree.object) if tree.object else ""
    return noun_phrase(
        tree.object,
        bare=tree.verb is AIMER and is_generic(tree.object),
        negated=bool(tree.negation),
    )


def is_generic(tree: NounPhrase) -> bool:
    """Definite plural or mass without owner or relative clause: les chats, le pain."""
    narrowed = tree.owner or tree.relative
    definite = tree.determiner is Determiner.DEFINITE
    return definite and (tree.plural or tree.noun.mass) and not narrowed


# Places


def place(tree: Place, motion: bool, origin: bool = False) -> str:
    """To with motion, from with an origin; otherwise in a city or country, at a building."""
    if isinstance(tree, There):
        return "there"
    if isinstance(tree, Position):
        return f"{tree.preposition.en} {noun_phrase(tree.landmark)}"
    still = "in" if isinstance(tree, PlaceName) else "at"
    return f"{'from' if origin else 'to' if motion else still} {nominal(tree)}"
