"""The words of the embedded corpus, French beside English.

A French word must settle its English one, so the tables leave out what only the world could
settle: no `son` (his or her), no noun written alike in singular and plural, one kind of direct
object for each verb (so that `le` is either *him* or *it*).
"""

from functools import partial

from training.corpora.embedded.inflection import add_ed, add_ing, add_s, er_present, french_plural
from training.corpora.embedded.words import (
    Adjective,
    Adverb,
    Conjunction,
    EnglishVerb,
    Frame,
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

HUMAN, ANIMAL, OBJECT, FURNITURE = Kind.HUMAN, Kind.ANIMAL, Kind.OBJECT, Kind.FURNITURE
PROPERTY, TEXT, FOOD, DRINK, SITE = Kind.PROPERTY, Kind.TEXT, Kind.FOOD, Kind.DRINK, Kind.SITE


def _noun(
    fr: str, gender: str, en: str, kind: Kind, en_plural: str = "", related: bool = True
) -> Noun:
    en_plural = en_plural or add_s(en)
    return Noun(fr, french_plural(fr), gender == "f", en, en_plural, kind, related=related)


def _mass(fr: str, gender: str, en: str, kind: Kind) -> Noun:
    return Noun(fr, fr, gender == "f", en, en, kind, mass=True)


NOUNS = (
    _noun("homme", "m", "man", HUMAN, "men", related=False),
    _noun("femme", "f", "woman", HUMAN, "women", related=False),
    _noun("garçon", "m", "boy", HUMAN, related=False),
    _noun("fille", "f", "girl", HUMAN, related=False),
    _noun("enfant", "m", "child", HUMAN, "children"),
    _noun("ami", "m", "friend", HUMAN),
    _noun("amie", "f", "friend", HUMAN),
    _noun("voisin", "m", "neighbour", HUMAN),
    _noun("voisine", "f", "neighbour", HUMAN),
    _noun("étudiant", "m", "student", HUMAN),
    _noun("étudiante", "f", "student", HUMAN),
    _noun("professeur", "m", "teacher", HUMAN),
    _noun("chat", "m", "cat", ANIMAL),
    _noun("chien", "m", "dog", ANIMAL),
    _noun("oiseau", "m", "bird", ANIMAL),
    _noun("hibou", "m", "owl", ANIMAL),
    _noun("cheval", "m", "horse", ANIMAL),
    _noun("chapeau", "m", "hat", OBJECT),
    _noun("sac", "m", "bag", OBJECT),
    _noun("cadeau", "m", "gift", OBJECT),
    _noun("photo", "f", "photo", OBJECT),
    _noun("horloge", "f", "clock", OBJECT),
    _noun("table", "f", "table", FURNITURE),
    _noun("chaise", "f", "chair", FURNITURE),
    _noun("maison", "f", "house", PROPERTY),
    _noun("voiture", "f", "car", PROPERTY),
    _noun("jardin", "m", "garden", PROPERTY),
    _noun("livre", "m", "book", TEXT),
    _noun("lettre", "f", "letter", TEXT),
    _noun("journal", "m", "newspaper", TEXT),
    _noun("histoire", "f", "story", TEXT),
    _noun("pomme", "f", "apple", FOOD),
    _noun("orange", "f", "orange", FOOD),
    _noun("gâteau", "m", "cake", FOOD),
    _noun("œuf", "m", "egg", FOOD),
    _mass("pain", "m", "bread", FOOD),
    _mass("fromage", "m", "cheese", FOOD),
    _mass("soupe", "f", "soup", FOOD),
    _mass("eau", "f", "water", DRINK),
    _mass("lait", "m", "milk", DRINK),
    _mass("café", "m", "coffee", DRINK),
    _noun("musée", "m", "museum", SITE, related=False),
    _noun("marché", "m", "market", SITE, related=False),
    _noun("hôtel", "m", "hotel", SITE, related=False),
    _noun("école", "f", "school", SITE),
    _noun("bibliothèque", "f", "library", SITE, related=False),
    _noun("gare", "f", "station", SITE, related=False),
    _noun("plage", "f", "beach", SITE, related=False),
)

ASPIRATED_H = frozenset({"hibou", "hiboux"})  # le hibou, never l'hibou


PASSING = frozenset({"heureux", "fatigué", "malade"})
OPINION, SIZE, AGE, COLOUR, ORIGIN = range(5)  # the English order


def _adjective(
    masculine: str,
    en: str,
    rank: int,
    *kinds: Kind,
    feminine: str = "",
    before_noun: bool = False,
    before_vowel: str = "",
) -> Adjective:
    feminine = feminine or (masculine if masculine.endswith("e") else masculine + "e")
    return Adjective(
        masculine,
        feminine,
        en,
        before_noun,
        rank,
        frozenset(kinds),
        before_vowel or masculine,
        lasting=masculine not in PASSING,
    )


_before = partial(_adjective, before_noun=True)

ADJECTIVES = (  # un petit ami, une bonne femme mean something else: nobody is small or good
    _before("bon", "good", OPINION, TEXT, FOOD, DRINK, SITE, feminine="bonne"),
    _before("mauvais", "bad", OPINION, TEXT, FOOD, DRINK, SITE),
    _before(
        *("beau", "beautiful", OPINION, ANIMAL, OBJECT, PROPERTY, TEXT, SITE),
        feminine="belle",
        before_vowel="bel",
    ),
    _before("joli", "pretty", OPINION, OBJECT, FURNITURE, PROPERTY),
    _before("grand", "big", SIZE, ANIMAL, OBJECT, FURNITURE, PROPERTY, SITE),
    _before("petit", "small", SIZE, ANIMAL, OBJECT, FURNITURE, PROPERTY, SITE),
    _before("jeune", "young", AGE, HUMAN, ANIMAL),
    _before(
        *("vieux", "old", AGE, HUMAN, ANIMAL, OBJECT, FURNITURE, PROPERTY, TEXT, SITE),
        feminine="vieille",
        before_vowel="vieil",
    ),
    _before(
        *("nouveau", "new", AGE, HUMAN, OBJECT, FURNITURE, PROPERTY, TEXT, SITE),
        feminine="nouvelle",
        before_vowel="nouvel",
    ),
    _adjective("rouge", "red", COLOUR, OBJECT, FURNITURE, PROPERTY),
    _adjective("bleu", "blue", COLOUR, OBJECT, FURNITURE, PROPERTY),
    _adjective("vert", "green", COLOUR, OBJECT, FURNITURE),
    _adjective("noir", "black", COLOUR, ANIMAL, OBJECT, FURNITURE, PROPERTY),
    _adjective("blanc", "white", COLOUR, ANIMAL, OBJECT, FURNITURE, PROPERTY, feminine="blanche"),
    _adjective("français", "French", ORIGIN, HUMAN, TEXT, PROPERTY),
    _adjective("anglais", "English", ORIGIN, HUMAN, TEXT, PROPERTY),
    _adjective("italien", "Italian", ORIGIN, HUMAN, TEXT, PROPERTY, feminine="italienne"),
    _adjective("intéressant", "interesting", OPINION, TEXT, SITE),
    _adjective("utile", "useful", OPINION, OBJECT, FURNITURE, TEXT),
    _adjective("cher", "expensive", OPINION, OBJECT, PROPERTY, feminine="chère"),
    _adjective("célèbre", "famous", OPINION, HUMAN, TEXT, SITE),
    _adjective("gentil", "kind", OPINION, HUMAN, feminine="gentille"),
    _adjective("honnête", "honest", OPINION, HUMAN),
    _adjective("heureux", "happy", OPINION, HUMAN, feminine="heureuse"),
    _adjective("fatigué", "tired", OPINION, HUMAN, ANIMAL),
    _adjective("malade", "sick", OPINION, HUMAN, ANIMAL),
)


IRREGULAR = {  # je, tu, il, nous, vous, ils, participle
    "être": "suis es est sommes êtes sont été",
    "avoir": "ai as a avons avez ont eu",
    "aller": "vais vas va allons allez vont allé",
    "vouloir": "veux veux veut voulons voulez veulent voulu",
    "pouvoir": "peux peux peut pouvons pouvez peuvent pu",
    "boire": "bois bois boit buvons buvez boivent bu",
    "lire": "lis lis lit lisons lisez lisent lu",
    "écrire": "écris écris écrit écrivons écrivez écrivent écrit",
    "finir": "finis finis finit finissons finissez finissent fini",
    "vendre": "vends vends vend vendons vendez vendent vendu",
    "attendre": "attends attends attend attendons attendez attendent attendu",
    "venir": "viens viens vient venons venez viennent venu",
    "dormir": "dors dors dort dormons dormez dorment dormi",
    "savoir": "sais sais sait savons savez savent su",
}
STRONG_STEMS = {"acheter": "achèt", "envoyer": "envoi", "promener": "promèn"}
TAKES_ETRE = frozenset({"aller", "arriver", "rester", "venir"})
STATIVE = frozenset({"être", "avoir", "aimer", "penser", "savoir", "vouloir", "pouvoir"})
ALIVE = frozenset({"manger", "boire", "dormir"})  # what animals do too


def _verb(french: str, english: str, frame: Frame = Frame.NOTHING, *kinds: Kind) -> Verb:
    """A verb from `infinitive` (or `se infinitive`) and `base/past/gerund particle`."""
    infinitive = french.removeprefix("se ")
    *present, participle = _forms(infinitive)
    return Verb(
        infinitive=infinitive,
        present=tuple(present),
        participle=participle,
        en=_english(english),
        frame=frame,
        kinds=frozenset(kinds),
        subjects=frozenset({HUMAN, ANIMAL} if infinitive in ALIVE else {HUMAN}),
        with_etre=infinitive in TAKES_ETRE or infinitive != french,
        reflexive=infinitive != french,
        stative=infinitive in STATIVE,
    )


def _forms(infinitive: str) -> tuple[str, ...]:
    if infinitive in IRREGULAR:
        return tuple(IRREGULAR[infinitive].split())
    stem = infinitive.removesuffix("er")
    return (*er_present(infinitive, STRONG_STEMS.get(infinitive, stem)), stem + "é")


def _english(entry: str) -> EnglishVerb:
    forms, _, particle = entry.partition(" ")
    base, *rest = forms.split("/")
    past, gerund = (*rest, "", "")[:2]
    return EnglishVerb(base, past or add_ed(base), gerund or add_ing(base), particle)


THINGS = (ANIMAL, OBJECT, FURNITURE, PROPERTY, TEXT, FOOD, DRINK, SITE)
SMALL_THINGS = (OBJECT, TEXT)
GOODS = (OBJECT, FURNITURE, PROPERTY, TEXT)

ETRE = _verb("être", "be/was", Frame.PREDICATE)
AVOIR = _verb("avoir", "have/had", Frame.OBJECT, ANIMAL, *GOODS, FOOD)
ALLER = _verb("aller", "go/went", Frame.GOAL, SITE)
AIMER = _verb("aimer", "like", Frame.OBJECT, *THINGS)
VISITER = _verb("visiter", "visit", Frame.OBJECT, SITE)
VOULOIR = _verb("vouloir", "want to", Frame.INFINITIVE)
POUVOIR = _verb("pouvoir", "can/could", Frame.INFINITIVE)

VERBS = (  # what clauses choose from
    AVOIR,
    ALLER,
    AIMER,
    VISITER,
    _verb("acheter", "buy/bought", Frame.OBJECT, *GOODS, FOOD, DRINK),
    _verb("vendre", "sell/sold", Frame.OBJECT, *GOODS),
    _verb("chercher", "look for", Frame.OBJECT, ANIMAL, *SMALL_THINGS),
    _verb("regarder", "look at", Frame.OBJECT, ANIMAL, OBJECT, PROPERTY),
    _verb("manger", "eat/ate", Frame.OBJECT, FOOD),
    _verb("boire", "drink/drank", Frame.OBJECT, DRINK),
    _verb("lire", "read/read", Frame.OBJECT, TEXT),
    _verb("écrire", "write/wrote", Frame.OBJECT, TEXT),
    _verb("finir", "finish", Frame.OBJECT, TEXT),
    _verb("inviter", "invite", Frame.OBJECT, HUMAN),
    _verb("aider", "help", Frame.OBJECT, HUMAN),
    _verb("rencontrer", "meet/met", Frame.OBJECT, HUMAN),
    _verb("attendre", "wait for", Frame.OBJECT, HUMAN),
    _verb("parler", "speak/spoke to", Frame.RECIPIENT),
    _verb("téléphoner", "phone", Frame.RECIPIENT),
    _verb("donner", "give/gave", Frame.GIFT, *SMALL_THINGS, FOOD),
    _verb("envoyer", "send/sent", Frame.GIFT, *SMALL_THINGS),
    _verb("habiter", "live", Frame.SITE),
    _verb("travailler", "work", Frame.SITE, SITE),
    _verb("arriver", "arrive", Frame.SITE, SITE),
    _verb("rester", "stay", Frame.SITE, SITE),
    _verb("venir", "come/came", Frame.ORIGIN, SITE),
    _verb("dormir", "sleep/slept"),
    _verb("chanter", "sing/sang"),
    _verb("nager", "swim/swam/swimming"),
    _verb("se reposer", "rest"),
    _verb("se promener", "go/went for a walk"),
    _verb("penser", "think/thought", Frame.CONTENT),
    _verb("savoir", "know/knew", Frame.CONTENT),
)

NAMES = (
    *(Name(text, feminine=True) for text in ("Jane", "Marie", "Sophie", "Alice", "Emma")),
    *(Name(text, feminine=False) for text in ("Paul", "Pierre", "Thomas", "Louis", "Antoine")),
)

PLACE_NAMES = (
    PlaceName("Paris", "Paris", Land.CITY),
    PlaceName("Londres", "London", Land.CITY),
    PlaceName("Rome", "Rome", Land.CITY),
    PlaceName("Berlin", "Berlin", Land.CITY),
    PlaceName("Athènes", "Athens", Land.CITY),
    PlaceName("Afrique", "Africa", Land.FEMININE),
    PlaceName("France", "France", Land.FEMININE),
    PlaceName("Italie", "Italy", Land.FEMININE),
    PlaceName("Espagne", "Spain", Land.FEMININE),
    PlaceName("Allemagne", "Germany", Land.FEMININE),
    PlaceName("Angleterre", "England", Land.FEMININE),
    PlaceName("Canada", "Canada", Land.MASCULINE),
    PlaceName("Japon", "Japan", Land.MASCULINE),
    PlaceName("Portugal", "Portugal", Land.MASCULINE),
    PlaceName("États-Unis", "the United States", Land.PLURAL),
)

ANY_TENSE = frozenset(Tense)
NOW = frozenset({Tense.PRESENT})
PAST = frozenset({Tense.PERFECT, Tense.IMPERFECT})
SOON = frozenset({Tense.FUTURE})

MONTHS = {
    "janvier": "January",
    "février": "February",
    "mars": "March",
    "avril": "April",
    "mai": "May",
    "juin": "June",
    "juillet": "July",
    "août": "August",
    "septembre": "September",
    "octobre": "October",
    "novembre": "November",
    "décembre": "December",
}
DAYS = {
    "lundi": "Monday",
    "mardi": "Tuesday",
    "mercredi": "Wednesday",
    "jeudi": "Thursday",
    "vendredi": "Friday",
    "samedi": "Saturday",
    "dimanche": "Sunday",
}
TIMES = (
    *(TimePhrase(f"en {fr}", f"in {en}", ANY_TENSE) for fr, en in MONTHS.items()),
    *(TimePhrase(f"le {fr}", f"on {en}s", NOW) for fr, en in DAYS.items()),
    *(TimePhrase(fr, f"on {en}", SOON) for fr, en in DAYS.items()),
    *(TimePhrase(f"{fr} dernier", f"last {en}", PAST) for fr, en in DAYS.items()),
    TimePhrase("au printemps", "in spring", ANY_TENSE),
    TimePhrase("en été", "in summer", ANY_TENSE),
    TimePhrase("en automne", "in autumn", ANY_TENSE),
    TimePhrase("en hiver", "in winter", ANY_TENSE),
    TimePhrase("à midi", "at noon", ANY_TENSE),
    TimePhrase("le matin", "in the morning", NOW),
    TimePhrase("le soir", "in the evening", NOW),
    TimePhrase("chaque année", "every year", NOW),
    TimePhrase("chaque été", "every summer", NOW),
    TimePhrase("aujourd'hui", "today", ANY_TENSE - PAST),
    TimePhrase("hier", "yesterday", PAST),
    TimePhrase("hier soir", "yesterday evening", PAST),
    TimePhrase("l'année dernière", "last year", PAST),
    TimePhrase("demain", "tomorrow", SOON),
    TimePhrase("ce soir", "this evening", SOON),
    TimePhrase("l'année prochaine", "next year", SOON),
)

ADVERBS = (
    Adverb("souvent", "often"),
    Adverb("toujours", "always"),
    Adverb("rarement", "rarely"),
    Adverb("parfois", "sometimes"),
)

PREPOSITIONS = (
    Preposition("sur", "on", frozenset({FURNITURE})),
    Preposition("sous", "under", frozenset({FURNITURE})),
    Preposition("dans", "in", frozenset({PROPERTY})),
    Preposition("devant", "in front of", frozenset({PROPERTY, SITE})),
    Preposition("derrière", "behind", frozenset({PROPERTY, SITE})),
)

AND = Conjunction("et", "and")
BUT = Conjunction(", mais", ", but")
SO = Conjunction(", donc", ", so")
BECAUSE = Conjunction("parce que", "because", subordinate=True)
WHEN = Conjunction("quand", "when", subordinate=True, tenses=NOW | PAST)
WHILE = Conjunction(
    "pendant que", "while", subordinate=True, tenses=frozenset({Tense.PRESENT, Tense.IMPERFECT})
)
CONJUNCTIONS = (AND, AND, BUT, SO, BECAUSE, WHEN, WHILE)
