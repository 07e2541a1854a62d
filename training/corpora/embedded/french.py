"""A tree read aloud in French."""

from functools import cache

from training.corpora.embedded.inflection import french_plural, imperfect
from training.corpora.embedded.lexicon import ALLER, AVOIR, ETRE
from training.corpora.embedded.orthography import elide, join, spell_french, starts_with_vowel
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
)
from training.corpora.embedded.words import (
    Adjective,
    Conjunction,
    Frame,
    Land,
    Name,
    PlaceName,
    Tense,
    Verb,
)

_DETERMINERS = {  # masculine, feminine, plural
    Determiner.DEFINITE: ("le", "la", "les"),
    Determiner.INDEFINITE: ("un", "une", "des"),
    Determiner.THIS: ("ce", "cette", "ces"),
    Determiner.MY: ("mon", "ma", "mes"),
    Determiner.YOUR: ("ton", "ta", "tes"),
    Determiner.OUR: ("notre", "notre", "nos"),
    Determiner.YOUR_PLURAL: ("votre", "votre", "vos"),
    Determiner.THEIR: ("leur", "leur", "leurs"),
    Determiner.TWO: ("", "", "deux"),
    Determiner.THREE: ("", "", "trois"),
    Determiner.MANY: ("", "", "beaucoup de"),
}
_BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "ta": "ton"}
_PARTITIVE = {False: "de le", True: "de la"}
_NEGATION = {Negation.NOT: "pas", Negation.NEVER: "jamais", Negation.NO_LONGER: "plus"}
_QUESTION = {
    Question.WHETHER: "est-ce que",
    Question.WHERE: "où est-ce que",
    Question.WHEN: "quand est-ce que",
    Question.WHY: "pourquoi est-ce que",
    Question.WHO: "qui",
    Question.WHAT: "qu'est-ce que",
}


def sentence(tree: Sentence) -> str:
    """The whole sentence as it is written."""
    words = clause(tree.first)
    if tree.question:
        return spell_french(f"{_QUESTION[tree.question]} {words}", "?")
    return spell_french(join([words, *(joint(*pair) for pair in tree.joined)]), ".")


def joint(conjunction: Conjunction, next_: AnyClause) -> str:
    """A conjunction and the clause it joins to a sentence."""
    return elide(f"{conjunction.fr} {clause(next_)}")


def clause(tree: AnyClause) -> str:
    """Any clause, its words not yet elided."""
    if isinstance(tree, Existential):
        return existential(tree)
    if isinstance(tree, Presentation):
        return presentation(tree)
    time = tree.time.fr if tree.time else ""
    core = join([subject(tree.subject), verb_group(tree), complements(tree)])
    if time and tree.time_first:
        return f"{time} , {core}"
    return join([core, time, f"que {clause(tree.content)}" if tree.content else ""])


def existential(tree: Existential) -> str:
    """Il y a un chat; il n'y avait pas de chat."""
    there_is = negated(f"y {conjugate(AVOIR, tree.tense, Features())}", tree.negation)
    return join(["il", there_is, noun_phrase(tree.theme, bool(tree.negation)), place(tree.place)])


def presentation(tree: Presentation) -> str:
    """C'est Jane; ce n'était pas un chat."""
    it_is = negated(conjugate(ETRE, tree.tense, Features()), tree.negation)
    return join(["ce", it_is, nominal(tree.theme)])


def negated(finite: str, negation: Negation | None) -> str:
    """Put ne ... pas, jamais or plus around a finite verb and its clitics."""
    return f"ne {finite} {_NEGATION[negation]}" if negation else finite


# The noun phrase


def nominal(tree: Nominal) -> str:
    """A name, a place with its article, a noun phrase; nothing where there is a gap."""
    if isinstance(tree, Name):
        return tree.text
    if isinstance(tree, PlaceName):
        return tree.fr if tree.land is Land.CITY else f"{_article(tree)} {tree.fr}"
    if isinstance(tree, NounPhrase):
        return noun_phrase(tree)
    return tonic(tree) if isinstance(tree, Pronoun) else ""


def noun_phrase(tree: NounPhrase, negated: bool = False) -> str:
    """Determiner, adjectives before, noun, adjectives after, owner, relative clause."""
    noun = tree.noun.fr_plural if tree.plural else tree.noun.fr
    after = [a for a in tree.adjectives if not a.before_noun]
    words = noun
    for adjective in tree.adjectives:
        if adjective.before_noun:
            words = f"{agree(adjective, tree.features, before=words)} {words}"
    words = join([words, *(agree(a, tree.features) for a in after)])
    owner = f"de {nominal(tree.owner)}" if tree.owner else ""
    return join([determiner(tree, words, negated), words, owner, relative(tree)])


def determiner(tree: NounPhrase, following: str, negated: bool = False) -> str:
    """The determiner, by gender, number, the sound that follows, and negation (pas de pain)."""
    inflected_first = tree.adjectives and tree.adjectives[0].before_noun
    if tree.determiner is Determiner.INDEFINITE:
        if negated or (tree.plural and inflected_first):  # de grandes maisons
            return "de"
        if tree.noun.mass:
            return _PARTITIVE[tree.noun.feminine]
    masculine, feminine, plural = _DETERMINERS[tree.determiner]
    word = plural if tree.plural else feminine if tree.noun.feminine else masculine
    return _BEFORE_VOWEL.get(word, word) if starts_with_vowel(following.split()[0]) else word


def agree(adjective: Adjective, with_: Features, before: str = "") -> str:
    """An adjective's form; `before` is the noun that follows it (un vieil homme)."""
    if with_.feminine:
        return adjective.feminine + ("s" if with_.plural else "")
    if with_.plural:
        return french_plural(adjective.masculine)
    return adjective.before_vowel if before and starts_with_vowel(before) else adjective.masculine


def relative(tree: NounPhrase) -> str:
    """Qui where the clause lacks its subject, que where it lacks its object."""
    if not tree.relative:
        return ""
    opener = "qui" if isinstance(tree.relative.subject, Gap) else "que"
    return f"{opener} {clause(tree.relative)}"


# Pronouns


def _row(f: Features) -> int:
    return f.person - 1 + 3 * f.plural


def subject(tree: Nominal) -> str:
    """The subject: je, tu, il, elle ... or any nominal."""
    if not isinstance(tree, Pronoun):
        return nominal(tree)
    f = tree.features
    masculine = ("je", "tu", "il", "nous", "vous", "ils")[_row(f)]
    return {"il": "elle", "ils": "elles"}.get(masculine, masculine) if f.feminine else masculine


def tonic(tree: Pronoun) -> str:
    """The pronoun after a preposition: avec moi, avec eux."""
    f = tree.features
    masculine = ("moi", "toi", "lui", "nous", "vous", "eux")[_row(f)]
    return {"lui": "elle", "eux": "elles"}.get(masculine, masculine) if f.feminine else masculine


def accusative(tree: Pronoun) -> str:
    """The direct object's clitic."""
    word = ("me", "te", "le", "nous", "vous", "les")[_row(tree.features)]
    return "la" if word == "le" and tree.features.feminine else word


def dative(tree: Pronoun) -> str:
    """The indirect object's clitic."""
    return ("me", "te", "lui", "nous", "vous", "leur")[_row(tree.features)]


def reflexive(f: Features) -> str:
    """The reflexive clitic."""
    return ("me", "te", "se", "nous", "vous", "se")[_row(f)]


def clitics(tree: Clause) -> str:
    """All clitics in their order: me te se nous vous, le la les, lui leur, y."""
    words = [reflexive(features(tree.subject))] if tree.verb.reflexive else []
    if isinstance(tree.object, Pronoun):
        words.append(accusative(tree.object))
    if isinstance(tree.recipient, Pronoun):
        word = dative(tree.recipient)
        words.insert(len(words) if word in ("lui", "leur") else 0, word)
    if isinstance(tree.place, There):
        words.append("y")
    return join(words)


# The verb


@cache
def conjugate(verb: Verb, tense: Tense, with_: Features) -> str:
    """The finite form: the present from its table, the imperfect from the stem of nous."""
    row = _row(with_)
    if tense is not Tense.IMPERFECT:
        return verb.present[row]
    return imperfect("étons" if verb is ETRE else verb.present[3], row)


def participle(tree: Clause) -> str:
    """The past participle, agreeing with the subject (être) or a preceding object (avoir)."""
    controller: Nominal | None = tree.subject if tree.verb.with_etre else tree.object
    if not tree.verb.with_etre and not isinstance(controller, Pronoun | Gap):
        return tree.verb.participle
    f = features(controller) if controller else Features()
    return tree.verb.participle + ("e" if f.feminine else "") + ("s" if f.plural else "")


def verb_group(tree: Clause) -> str:
    """Clitics, finite verb and its negation, adverb, then the infinitive or participle."""
    f = features(tree.subject)
    adverb = tree.adverb.fr if tree.adverb else ""
    if tree.modal or tree.tense is Tense.FUTURE:
        tense = Tense.PRESENT if tree.tense is Tense.FUTURE else tree.tense
        finite = conjugate(tree.modal or ALLER, tense, f)
        return join([negated(finite, tree.negation), clitics(tree), tree.verb.infinitive])
    if tree.tense is Tense.PERFECT:
        auxiliary = conjugate(ETRE if tree.verb.with_etre else AVOIR, Tense.PRESENT, f)
        finite = join([clitics(tree), auxiliary])
        return join([negated(finite, tree.negation), adverb, participle(tree)])
    finite = join([clitics(tree), conjugate(tree.verb, tree.tense, f)])
    return join([negated(finite, tree.negation), adverb])


def complements(tree: Clause) -> str:
    """What follows the verb: predicate, object, recipient, place, company."""
    parts = [agree(tree.predicate, features(tree.subject)) if tree.predicate else ""]
    if isinstance(tree.object, NounPhrase):
        parts.append(noun_phrase(tree.object, negated=bool(tree.negation)))
    elif isinstance(tree.object, Name | PlaceName):
        parts.append(nominal(tree.object))
    if isinstance(tree.recipient, NounPhrase | Name):
        parts.append(f"à {nominal(tree.recipient)}")
    if tree.place:
        parts.append(place(tree.place, origin=tree.verb.frame is Frame.ORIGIN))
    if tree.company:
        parts.append(f"avec {nominal(tree.company)}")
    return join(parts)


# Places


def _article(tree: PlaceName) -> str:
    return {Land.FEMININE: "la", Land.MASCULINE: "le", Land.PLURAL: "les"}[tree.land]


def place(tree: Place, origin: bool = False) -> str:
    """À Paris, en France, au Canada, aux États-Unis, à l'école, sur la table; de Paris, du Canada.

    `y` is a clitic and stands elsewhere.
    """
    if isinstance(tree, There):
        return ""
    if isinstance(tree, Position):
        return f"{tree.preposition.fr} {noun_phrase(tree.landmark)}"
    if isinstance(tree, PlaceName) and tree.land is Land.FEMININE:
        return f"de {tree.fr}" if origin else f"en {tree.fr}"
    return f"{'de' if origin else 'à'} {nominal(tree)}"
