"""The embedded grammar: a hand-worked sentence, in both languages, for each phenomenon."""

from collections import Counter
from collections.abc import Callable

import pytest

from mt.errors import CorpusError
from training.corpora.embedded import (
    EXAMPLE,
    LENGTH_BANDS,
    LICENCE,
    SPLITS,
    band,
    band_name,
    english,
    french,
    generate,
)
from training.corpora.embedded.inflection import add_ed, add_ing, add_s, french_plural
from training.corpora.embedded.lexicon import (
    ADJECTIVES,
    ADVERBS,
    BECAUSE,
    BUT,
    ETRE,
    NAMES,
    NOUNS,
    PLACE_NAMES,
    POUVOIR,
    PREPOSITIONS,
    SO,
    TIMES,
    VERBS,
    VOULOIR,
    WHEN,
)
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
    Position,
    Presentation,
    Pronoun,
    Question,
    Sentence,
    There,
)
from training.corpora.embedded.words import Kind, Tense

PERFECT, IMPERFECT, FUTURE = Tense.PERFECT, Tense.IMPERFECT, Tense.FUTURE
NOT, NEVER, NO_LONGER = Negation
DEFINITE, INDEFINITE, THIS = Determiner.DEFINITE, Determiner.INDEFINITE, Determiner.THIS

NOUN = {noun.fr: noun for noun in NOUNS}
VERB = {verb.infinitive: verb for verb in (*VERBS, ETRE)}
ADJECTIVE = {adjective.masculine: adjective for adjective in ADJECTIVES}
NAME = {name.text: name for name in NAMES}
PLACE = {place.fr: place for place in PLACE_NAMES}
TIME = {time.fr: time for time in TIMES}
ADVERB = {adverb.fr: adverb for adverb in ADVERBS}
PREPOSITION = {preposition.fr: preposition for preposition in PREPOSITIONS}
JANE, PAUL, ALICE = NAME["Jane"], NAME["Paul"], NAME["Alice"]


def pronoun(french_subject: str) -> Pronoun:
    row = ("je", "tu", "il", "elle", "nous", "vous", "ils", "elles").index(french_subject)
    return Pronoun(Features((1, 2, 3, 3)[row % 4], row >= 4, french_subject.startswith("elle")))


def it(plural: bool = False, feminine: bool = False) -> Pronoun:
    return Pronoun(Features(3, plural, feminine), Kind.OBJECT)


def np(noun: str, *adjectives: str, **rest: object) -> NounPhrase:
    words = tuple(ADJECTIVE[adjective] for adjective in adjectives)
    return NounPhrase(NOUN[noun], adjectives=words)._replace(**rest)  # type: ignore[arg-type]


def clause(subject: Nominal, verb: str, **rest: object) -> Clause:
    return Clause(subject, VERB[verb])._replace(**rest)  # type: ignore[arg-type]


def pair(tree: AnyClause | Sentence) -> tuple[str, str]:
    sentence = tree if isinstance(tree, Sentence) else Sentence(tree)
    return french.sentence(sentence), english.sentence(sentence)


def check(tree: AnyClause | Sentence, src: str, tgt: str) -> None:
    assert pair(tree) == (src, tgt)


def test_the_example_is_in_the_language() -> None:
    tree = clause(JANE, "visiter", object=PLACE["Afrique"], time=TIME["en septembre"])
    assert pair(tree) == EXAMPLE
    assert EXAMPLE == ("Jane visite l'Afrique en septembre.", "Jane visits Africa in September.")


ARTICLES = (
    (np("livre"), "le livre", "the book"),
    (np("table", plural=True), "les tables", "the tables"),
    (np("pomme", determiner=INDEFINITE), "une pomme", "an apple"),
    (np("hibou", determiner=INDEFINITE), "un hibou", "an owl"),
    (np("hibou"), "le hibou", "the owl"),
    (np("homme"), "l'homme", "the man"),
    (np("œuf", plural=True, determiner=INDEFINITE), "des œufs", "some eggs"),
    (np("pain", determiner=INDEFINITE), "du pain", "some bread"),
    (np("soupe", determiner=INDEFINITE), "de la soupe", "some soup"),
    (np("eau", determiner=INDEFINITE), "de l'eau", "some water"),
    (np("homme", determiner=THIS), "cet homme", "this man"),
    (np("hibou", determiner=THIS), "ce hibou", "this owl"),
    (np("femme", determiner=THIS), "cette femme", "this woman"),
    (np("enfant", determiner=THIS, plural=True), "ces enfants", "these children"),
    (np("amie", determiner=Determiner.MY), "mon amie", "my friend"),
    (np("voisine", determiner=Determiner.YOUR), "ta voisine", "your neighbour"),
    (np("livre", determiner=Determiner.THEIR, plural=True), "leurs livres", "their books"),
    (np("eau", determiner=Determiner.OUR), "notre eau", "our water"),
    (np("chat", determiner=Determiner.TWO, plural=True), "deux chats", "two cats"),
    (np("ami", determiner=Determiner.MANY, plural=True), "beaucoup d'amis", "many friends"),
)

ADJECTIVES_BY_PLACE = (
    (np("voiture", "rouge"), "la voiture rouge", "the red car"),
    (np("chapeau", "blanc", plural=True), "les chapeaux blancs", "the white hats"),
    (np("maison", "blanc", determiner=INDEFINITE), "une maison blanche", "a white house"),
    (np("homme", "vieux", determiner=INDEFINITE), "un vieil homme", "an old man"),
    (np("femme", "vieux", plural=True), "les vieilles femmes", "the old women"),
    (np("oiseau", "beau", determiner=THIS), "ce bel oiseau", "this beautiful bird"),
    (np("hibou", "beau"), "le beau hibou", "the beautiful owl"),
    (np("journal", "nouveau", plural=True), "les nouveaux journaux", "the new newspapers"),
    (np("hôtel", "grand"), "le grand hôtel", "the big hotel"),
    (np("école", "petit", determiner=Determiner.MY), "ma petite école", "my small school"),
    (np("livre", "utile", determiner=INDEFINITE), "un livre utile", "a useful book"),
    (np("homme", "honnête", determiner=INDEFINITE), "un homme honnête", "an honest man"),
    (np("étudiante", "heureux"), "l'étudiante heureuse", "the happy student"),
    (
        np("maison", "grand", determiner=INDEFINITE, plural=True),
        "de grandes maisons",
        "some big houses",
    ),
    (
        np("lettre", "joli", "italien", determiner=INDEFINITE),
        "une jolie lettre italienne",
        "a pretty Italian letter",
    ),
    (
        np("livre", "vieux", "intéressant", determiner=INDEFINITE),  # opinion, then age
        "un vieux livre intéressant",
        "an interesting old book",
    ),
)

OWNERS = (
    (np("maison", owner=ALICE), "la maison d'Alice", "Alice's house"),
    (np("chat", "noir", owner=np("voisin")), "le chat noir du voisin", "the neighbour's black cat"),
    (np("sac", owner=np("ami", plural=True)), "le sac des amis", "the friends' bag"),
    (np("sac", owner=np("homme", plural=True)), "le sac des hommes", "the men's bag"),
    (np("lettre", owner=NAME["Louis"]), "la lettre de Louis", "Louis's letter"),
    (np("jardin", owner=np("école")), "le jardin de l'école", "the garden of the school"),
    (np("jardin", owner=np("hôtel")), "le jardin de l'hôtel", "the garden of the hotel"),
    (np("table", owner=np("musée")), "la table du musée", "the table of the museum"),
)


@pytest.mark.parametrize(("phrase", "src", "tgt"), [*ARTICLES, *ADJECTIVES_BY_PLACE, *OWNERS])
def test_noun_phrases(phrase: NounPhrase, src: str, tgt: str) -> None:
    check(Presentation(phrase), f"C'est {src}.", f"It is {tgt}.")


def test_a_negated_article_becomes_de_and_any() -> None:
    def buys(bought: NounPhrase, negation: Negation) -> Clause:
        return clause(JANE, "acheter", object=bought, negation=negation)

    apple = np("pomme", determiner=INDEFINITE)
    check(buys(apple, NOT), "Jane n'achète pas de pomme.", "Jane does not buy an apple.")
    apples = apple._replace(plural=True)
    check(buys(apples, NEVER), "Jane n'achète jamais de pommes.", "Jane never buys any apples.")
    water = np("eau", determiner=INDEFINITE)
    check(buys(water, NO_LONGER), "Jane n'achète plus d'eau.", "Jane no longer buys any water.")
    check(buys(np("pain"), NOT), "Jane n'achète pas le pain.", "Jane does not buy the bread.")


def test_what_one_likes_in_general_has_no_english_article() -> None:
    cats = np("chat", plural=True)
    check(clause(PAUL, "aimer", object=cats), "Paul aime les chats.", "Paul likes cats.")
    check(clause(PAUL, "aimer", object=np("pain")), "Paul aime le pain.", "Paul likes bread.")
    owned = cats._replace(owner=JANE)
    check(
        clause(PAUL, "aimer", object=owned),
        "Paul aime les chats de Jane.",
        "Paul likes Jane's cats.",
    )
    check(clause(PAUL, "manger", object=np("pain")), "Paul mange le pain.", "Paul eats the bread.")


TO_PLACES = (
    ("Paris", "à Paris", "to Paris"),
    ("Athènes", "à Athènes", "to Athens"),
    ("France", "en France", "to France"),
    ("Canada", "au Canada", "to Canada"),
    ("États-Unis", "aux États-Unis", "to the United States"),
)
FROM_PLACES = (
    ("Rome", "de Rome", "from Rome"),
    ("Italie", "d'Italie", "from Italy"),
    ("Japon", "du Japon", "from Japan"),
    ("États-Unis", "des États-Unis", "from the United States"),
)


@pytest.mark.parametrize(("place", "src", "tgt"), TO_PLACES)
def test_going_to_a_place(place: str, src: str, tgt: str) -> None:
    check(clause(JANE, "aller", place=PLACE[place]), f"Jane va {src}.", f"Jane goes {tgt}.")


@pytest.mark.parametrize(("place", "src", "tgt"), FROM_PLACES)
def test_coming_from_a_place(place: str, src: str, tgt: str) -> None:
    check(clause(JANE, "venir", place=PLACE[place]), f"Jane vient {src}.", f"Jane comes {tgt}.")


def test_being_and_visiting_a_place() -> None:
    lives = clause(JANE, "habiter", place=PLACE["Espagne"])
    check(lives, "Jane habite en Espagne.", "Jane lives in Spain.")
    museum = clause(JANE, "travailler", place=np("musée"))
    check(museum, "Jane travaille au musée.", "Jane works at the museum.")
    school = clause(JANE, "aller", place=np("école"))
    check(school, "Jane va à l'école.", "Jane goes to the school.")
    station = clause(JANE, "venir", place=np("gare"))
    check(station, "Jane vient de la gare.", "Jane comes from the station.")
    canada = clause(JANE, "visiter", object=PLACE["Canada"])
    check(canada, "Jane visite le Canada.", "Jane visits Canada.")
    on_the_table = Position(PREPOSITION["sur"], np("table"))
    check(
        clause(np("livre"), "être", place=on_the_table),
        "Le livre est sur la table.",
        "The book is on the table.",
    )


@pytest.mark.parametrize(
    ("time", "src", "tgt"),
    [
        ("en avril", "en avril", "in April"),
        ("au printemps", "au printemps", "in spring"),
        ("en été", "en été", "in summer"),
        ("le lundi", "le lundi", "on Mondays"),
        ("aujourd'hui", "aujourd'hui", "today"),
    ],
)
def test_times(time: str, src: str, tgt: str) -> None:
    sleeps = clause(pronoun("il"), "dormir", time=TIME[time])
    check(sleeps, f"Il dort {src}.", f"He sleeps {tgt}.")
    first = sleeps._replace(time_first=True)
    assert pair(first) == (
        f"{src[0].upper()}{src[1:]}, il dort.",
        f"{tgt[0].upper()}{tgt[1:]}, he sleeps.",
    )


PERSONS = ("je", "tu", "il", "elle", "nous", "vous", "ils", "elles")
PRESENTS = {
    "manger": "mange manges mange mange mangeons mangez mangent mangent",
    "finir": "finis finis finit finit finissons finissez finissent finissent",
    "vendre": "vends vends vend vend vendons vendez vendent vendent",
}
IMPERFECTS = {
    "manger": "mangeais mangeais mangeait mangeait mangions mangiez mangeaient mangeaient",
    "finir": "finissais finissais finissait finissait finissions finissiez finissaient finissaient",
    "boire": "buvais buvais buvait buvait buvions buviez buvaient buvaient",
    "acheter": "achetais achetais achetait achetait achetions achetiez achetaient achetaient",
}


def forms(infinitive: str, tense: Tense) -> str:
    verb = VERB[infinitive]
    return " ".join(french.conjugate(verb, tense, pronoun(p).features) for p in PERSONS)


@pytest.mark.parametrize("infinitive", PRESENTS)
def test_present(infinitive: str) -> None:
    assert forms(infinitive, Tense.PRESENT) == PRESENTS[infinitive]


@pytest.mark.parametrize("infinitive", IMPERFECTS)
def test_imperfect(infinitive: str) -> None:
    assert forms(infinitive, IMPERFECT) == IMPERFECTS[infinitive]


def test_strong_stems_stand_before_silent_endings() -> None:
    assert forms("acheter", Tense.PRESENT).startswith("achète achètes achète achète achetons")
    assert forms("envoyer", Tense.PRESENT).startswith("envoie envoies envoie envoie envoyons")
    assert forms("être", IMPERFECT).startswith("étais étais était était étions")


BOOK = np("livre", determiner=INDEFINITE)
TENSES = (
    (clause(JANE, "lire", object=BOOK), "Jane lit un livre.", "Jane reads a book."),
    (
        clause(JANE, "acheter", object=BOOK, tense=PERFECT),
        "Jane a acheté un livre.",
        "Jane bought a book.",
    ),
    (
        clause(JANE, "écrire", object=BOOK, tense=IMPERFECT),
        "Jane écrivait un livre.",
        "Jane was writing a book.",
    ),
    (
        clause(JANE, "lire", object=BOOK, tense=FUTURE),
        "Jane va lire un livre.",
        "Jane is going to read a book.",
    ),
    (
        clause(JANE, "avoir", object=BOOK, tense=IMPERFECT),
        "Jane avait un livre.",
        "Jane had a book.",
    ),
    (
        clause(pronoun("nous"), "nager", modal=VOULOIR, tense=IMPERFECT),
        "Nous voulions nager.",
        "We wanted to swim.",
    ),
    (clause(pronoun("elle"), "nager", modal=POUVOIR), "Elle peut nager.", "She can swim."),
    (
        clause(pronoun("elle"), "nager", modal=POUVOIR, tense=IMPERFECT),
        "Elle pouvait nager.",
        "She could swim.",
    ),
    (clause(pronoun("je"), "nager", tense=IMPERFECT), "Je nageais.", "I was swimming."),
    (
        clause(pronoun("vous"), "promener", tense=IMPERFECT),
        "Vous vous promeniez.",
        "You were going for a walk.",
    ),
)


@pytest.mark.parametrize(("tree", "src", "tgt"), TENSES)
def test_tenses(tree: Clause, src: str, tgt: str) -> None:
    check(tree, src, tgt)


AGREEING = (
    (
        clause(pronoun("elles"), "aller", tense=PERFECT, place=PLACE["Rome"]),
        "Elles sont allées à Rome.",
        "They went to Rome.",
    ),
    (
        clause(pronoun("elle"), "reposer", tense=PERFECT),
        "Elle s'est reposée.",
        "She rested.",
    ),
    (
        clause(JANE, "inviter", tense=PERFECT, object=pronoun("elle")),
        "Jane l'a invitée.",
        "Jane invited her.",
    ),
    (
        clause(JANE, "inviter", tense=PERFECT, object=pronoun("il")),
        "Jane l'a invité.",
        "Jane invited him.",
    ),
    (
        clause(JANE, "vendre", tense=PERFECT, object=it(plural=True, feminine=True)),
        "Jane les a vendues.",
        "Jane sold them.",
    ),
    (
        clause(JANE, "vendre", tense=PERFECT, object=np("voiture", plural=True)),
        "Jane a vendu les voitures.",
        "Jane sold the cars.",
    ),
    (
        clause(JANE, "parler", tense=PERFECT, recipient=pronoun("elles")),
        "Jane leur a parlé.",
        "Jane spoke to them.",
    ),
)


@pytest.mark.parametrize(("tree", "src", "tgt"), AGREEING)
def test_participle_agreement(tree: Clause, src: str, tgt: str) -> None:
    check(tree, src, tgt)


CLITICS = (
    (clause(JANE, "attendre", object=pronoun("je")), "Jane m'attend.", "Jane waits for me."),
    (clause(JANE, "rencontrer", object=pronoun("elle")), "Jane la rencontre.", "Jane meets her."),
    (
        clause(JANE, "aider", object=pronoun("vous"), negation=NOT),
        "Jane ne vous aide pas.",
        "Jane does not help you.",
    ),
    (
        clause(JANE, "aider", object=pronoun("tu"), negation=NEVER, tense=PERFECT),
        "Jane ne t'a jamais aidé.",
        "Jane never helped you.",
    ),
    (
        clause(PAUL, "acheter", object=it(feminine=True), tense=FUTURE, negation=NOT),
        "Paul ne va pas l'acheter.",
        "Paul is not going to buy it.",
    ),
    (
        clause(PAUL, "donner", object=BOOK, recipient=pronoun("ils")),
        "Paul leur donne un livre.",
        "Paul gives them a book.",
    ),
    (
        clause(PAUL, "donner", object=it(), recipient=pronoun("je")),
        "Paul me le donne.",
        "Paul gives it to me.",
    ),
    (
        clause(
            PAUL, "donner", object=it(plural=True), recipient=pronoun("elle"), negation=NO_LONGER
        ),
        "Paul ne les lui donne plus.",
        "Paul no longer gives them to her.",
    ),
    (
        clause(PAUL, "donner", object=np("livre"), recipient=np("enfant", plural=True)),
        "Paul donne le livre aux enfants.",
        "Paul gives the book to the children.",
    ),
    (
        clause(pronoun("je"), "aller", place=There(), negation=NOT),
        "Je n'y vais pas.",
        "I do not go there.",
    ),
    (clause(pronoun("je"), "aller", place=There()), "J'y vais.", "I go there."),
    (
        clause(pronoun("tu"), "travailler", company=pronoun("ils")),
        "Tu travailles avec eux.",
        "You work with them.",
    ),
)


@pytest.mark.parametrize(("tree", "src", "tgt"), CLITICS)
def test_clitics(tree: Clause, src: str, tgt: str) -> None:
    check(tree, src, tgt)


NEGATED = (
    (
        clause(np("voisine", plural=True), "être", predicate=ADJECTIVE["gentil"], negation=NOT),
        "Les voisines ne sont pas gentilles.",
        "The neighbours are not kind.",
    ),
    (
        clause(pronoun("je"), "être", predicate=ADJECTIVE["malade"], adverb=ADVERB["souvent"]),
        "Je suis souvent malade.",
        "I am often sick.",
    ),
    (
        clause(pronoun("ils"), "chanter", negation=NOT, adverb=ADVERB["toujours"]),
        "Ils ne chantent pas toujours.",
        "They do not always sing.",
    ),
    (
        clause(pronoun("ils"), "chanter", tense=PERFECT, adverb=ADVERB["souvent"]),
        "Ils ont souvent chanté.",
        "They often sang.",
    ),
    (
        clause(pronoun("elle"), "aller", place=PLACE["Paris"], negation=NOT, tense=PERFECT),
        "Elle n'est pas allée à Paris.",
        "She did not go to Paris.",
    ),
    (
        clause(pronoun("elle"), "reposer", negation=NOT),
        "Elle ne se repose pas.",
        "She does not rest.",
    ),
    (
        clause(pronoun("il"), "dormir", modal=POUVOIR, negation=NOT),
        "Il ne peut pas dormir.",
        "He cannot sleep.",
    ),
    (
        clause(pronoun("il"), "dormir", modal=VOULOIR, negation=NOT),
        "Il ne veut pas dormir.",
        "He does not want to sleep.",
    ),
)


@pytest.mark.parametrize(("tree", "src", "tgt"), NEGATED)
def test_negation_and_adverbs(tree: Clause, src: str, tgt: str) -> None:
    check(tree, src, tgt)


def gap(noun: str, plural: bool = False) -> Gap:
    return Gap(Features(3, plural, NOUN[noun].feminine))


RELATIVES = (
    (
        np("femme", relative=clause(gap("femme"), "habiter", place=PLACE["Paris"])),
        "La femme qui habite à Paris dort.",
        "The woman who lives in Paris sleeps.",
    ),
    (
        np("femme", relative=clause(JANE, "rencontrer", tense=PERFECT, object=gap("femme"))),
        "La femme que Jane a rencontrée dort.",
        "The woman that Jane met sleeps.",
    ),
    (
        np(
            *("homme",),
            plural=True,
            relative=clause(ALICE, "attendre", object=gap("homme", plural=True)),
        ),
        "Les hommes qu'Alice attend dorment.",
        "The men that Alice waits for sleep.",
    ),
    (
        np("chat", relative=clause(gap("chat"), "boire", object=np("lait", determiner=INDEFINITE))),
        "Le chat qui boit du lait dort.",
        "The cat that drinks some milk sleeps.",
    ),
)


@pytest.mark.parametrize(("head", "src", "tgt"), RELATIVES)
def test_relative_clauses(head: NounPhrase, src: str, tgt: str) -> None:
    check(clause(head, "dormir"), src, tgt)


def test_reported_clauses() -> None:
    goes = clause(pronoun("elle"), "aller", place=There())
    check(
        clause(PAUL, "penser", content=goes),
        "Paul pense qu'elle y va.",
        "Paul thinks that she goes there.",
    )


def test_there_is() -> None:
    table = Position(PREPOSITION["sous"], np("table"))
    cat = np("chat", determiner=INDEFINITE)
    check(
        Existential(cat, table), "Il y a un chat sous la table.", "There is a cat under the table."
    )
    check(
        Existential(cat._replace(plural=True), table, IMPERFECT, NOT),
        "Il n'y avait pas de chats sous la table.",
        "There were no cats under the table.",
    )


def test_it_is() -> None:
    check(Presentation(JANE), "C'est Jane.", "It is Jane.")
    apple = np("pomme", determiner=INDEFINITE)
    check(Presentation(apple, IMPERFECT), "C'était une pomme.", "It was an apple.")
    check(Presentation(apple, negation=NOT), "Ce n'est pas une pomme.", "It is not an apple.")


def asked(kind: Question, tree: Clause) -> Sentence:
    return Sentence(tree, question=kind)


THING_GAP = Gap(Features())
QUESTIONS = (
    (
        asked(Question.WHETHER, clause(pronoun("elle"), "visiter", object=PLACE["Rome"])),
        "Est-ce qu'elle visite Rome?",
        "Does she visit Rome?",
    ),
    (
        asked(Question.WHETHER, clause(ALICE, "dormir", tense=PERFECT)),
        "Est-ce qu'Alice a dormi?",
        "Did Alice sleep?",
    ),
    (
        asked(Question.WHETHER, clause(np("pain"), "être", predicate=ADJECTIVE["bon"])),
        "Est-ce que le pain est bon?",
        "Is the bread good?",
    ),
    (
        asked(Question.WHERE, clause(pronoun("tu"), "habiter")),
        "Où est-ce que tu habites?",
        "Where do you live?",
    ),
    (
        asked(Question.WHEN, clause(pronoun("ils"), "dormir", modal=POUVOIR)),
        "Quand est-ce qu'ils peuvent dormir?",
        "When can they sleep?",
    ),
    (
        asked(Question.WHY, clause(pronoun("vous"), "chanter", negation=NOT)),
        "Pourquoi est-ce que vous ne chantez pas?",
        "Why do you not sing?",
    ),
    (
        asked(Question.WHO, clause(THING_GAP, "chercher", object=np("lettre"))),
        "Qui cherche la lettre?",
        "Who looks for the letter?",
    ),
    (
        asked(Question.WHAT, clause(ALICE, "chercher", object=THING_GAP, tense=PERFECT)),
        "Qu'est-ce qu'Alice a cherché?",
        "What did Alice look for?",
    ),
    (
        asked(Question.WHAT, clause(PAUL, "manger", object=THING_GAP, tense=FUTURE)),
        "Qu'est-ce que Paul va manger?",
        "What is Paul going to eat?",
    ),
)


@pytest.mark.parametrize(("tree", "src", "tgt"), QUESTIONS)
def test_questions(tree: Sentence, src: str, tgt: str) -> None:
    check(tree, src, tgt)


def test_joined_clauses() -> None:
    sick = clause(JANE, "être", predicate=ADJECTIVE["malade"])
    speak = clause(pronoun("je"), "parler", recipient=pronoun("elle"))
    check(
        Sentence(sick, ((SO, speak),)),
        "Jane est malade, donc je lui parle.",
        "Jane is sick, so I speak to her.",
    )
    sang = clause(pronoun("il"), "chanter", tense=IMPERFECT)
    arrived = clause(ALICE, "arriver", tense=PERFECT, place=There())
    check(
        Sentence(sang, ((WHEN, arrived), (BUT, sick), (BECAUSE, sang))),
        "Il chantait quand Alice y est arrivée, mais Jane est malade parce qu'il chantait.",
        "He was singing when Alice arrived there, but Jane is sick because he was singing.",
    )


@pytest.mark.parametrize(
    ("rule", "word", "expected"),
    [
        (french_plural, "chat", "chats"),
        (french_plural, "gâteau", "gâteaux"),
        (french_plural, "hibou", "hiboux"),
        (french_plural, "cheval", "chevaux"),
        (french_plural, "français", "français"),
        (add_s, "watch", "watches"),
        (add_s, "library", "libraries"),
        (add_s, "boy", "boys"),
        (add_s, "do", "does"),
        (add_s, "photo", "photos"),
        (add_ed, "like", "liked"),
        (add_ed, "carry", "carried"),
        (add_ed, "stay", "stayed"),
        (add_ing, "write", "writing"),
        (add_ing, "go", "going"),
    ],
)
def test_regular_inflection(rule: Callable[[str], str], word: str, expected: str) -> None:
    assert rule(word) == expected


def test_sizes_of_the_splits() -> None:
    sizes = {split: sum(1 for _ in generate(split, train_pairs=500)) for split in SPLITS}
    assert sizes == {"validation": 1000, "test": 1000, "test-long": 600, "train": 500}


def test_long_test_has_equal_bands() -> None:
    bands = Counter(band(pair.src) for pair in generate("test-long"))
    assert bands == {band_name(*limits): 100 for limits in LENGTH_BANDS}


@pytest.mark.parametrize(
    ("words", "expected"), [(1, "1-10"), (10, "1-10"), (11, "11-20"), (60, "51-60")]
)
def test_band(words: int, expected: str) -> None:
    assert band("mot " * words) == expected


@pytest.mark.parametrize("words", [0, 61])
def test_no_band(words: int) -> None:
    with pytest.raises(ValueError, match=f"{words} words are in no length band"):
        band("mot " * words)


def test_unknown_split() -> None:
    with pytest.raises(CorpusError, match="no split dev; use validation, test, test-long, train"):
        generate("dev")


def test_no_training_pairs() -> None:
    with pytest.raises(CorpusError, match="at least 1 training pair, not 0"):
        generate("train", train_pairs=0)


def test_licence_is_named() -> None:
    assert LICENCE.startswith("MIT")
