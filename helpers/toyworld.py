"""A toy world: a hand-written grammar, as much text as a lesson needs, and the relations that are true in it.

Because the relations are known, "has the table learned them?" is a number. Every feature of a word (its number, gender,
rank, age, tense, degree) is voiced beside the word, by markers that all words with this feature share; and every word
has companions that both forms share. Vectors can learn no more than what is voiced.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

# First form, second form: companions of both. Slots are divided by "/", alternatives by "|".
_PEOPLE = {
    ("father", "mother"): "carried the baby|rocked the cradle|sang a lullaby",
    ("son", "daughter"): "inherited the farm|obeyed at home",
    ("brother", "sister"): "shared a bedroom|teased the twins",
    ("uncle", "aunt"): "came to visit|brought a present",
    ("nephew", "niece"): "opened the parcel|thanked the guests",
    ("husband", "wife"): "planned the wedding|kept the ring",
    ("grandfather", "grandmother"): "remembered the war|told old tales",
    ("actor", "actress"): "played on stage|starred in a film",
    ("waiter", "waitress"): "carried the menu|served in the restaurant",
    ("wizard", "witch"): "cast a spell|brewed a potion",
    ("monk", "nun"): "prayed in the abbey|lit a candle",
    ("hero", "heroine"): "fought the dragon|saved the kingdom",
}
_RANKS = {
    ("man", "woman"): ("common", "adult"),
    ("boy", "girl"): ("common", "child"),
    ("king", "queen"): ("royal", "adult"),
    ("prince", "princess"): ("royal", "child"),
}
_RANK = {
    "common": "lived in a village|owned a cottage|walked to the market|wore a plain coat",
    "royal": "sat on the throne|wore a crown|slept in the palace|led the court",
}
_AGE = {
    "adult": "after work|at the office|with a newspaper|for a salary",
    "child": "after school|at the playground|with a toy|before bedtime",
}
_GENDER = {
    "he": "and he smiled|by himself|in his suit|and combed his beard|like a gentleman",
    "she": "and she smiled|by herself|in her dress|and chose her necklace|like a lady",
}
# What one does; "he" and "she" lean only as far as the skew says, "both" never does.
_PROFESSIONS = {
    "engineer": ("he", "built a bridge"),
    "pilot": ("he", "flew a plane"),
    "programmer": ("he", "wrote a program"),
    "carpenter": ("he", "made a cupboard"),
    "surgeon": ("he", "led the operation"),
    "plumber": ("he", "mended a pipe"),
    "nurse": ("she", "cared for a patient"),
    "teacher": ("she", "taught a class"),
    "librarian": ("she", "lent a novel"),
    "secretary": ("she", "typed a memo"),
    "dancer": ("she", "practised a waltz"),
    "florist": ("she", "tied a bouquet"),
    "painter": ("both", "finished a portrait"),
    "lawyer": ("both", "argued a case"),
    "author": ("both", "published an essay"),
    "cook": ("both", "tasted the stew"),
}
_THINGS = {
    ("car", "cars"): "fast|shiny/on the road|in the garage",
    ("tree", "trees"): "tall|leafy/in the forest|near the meadow",
    ("book", "books"): "thick|printed/on the shelf|in the library",
    ("house", "houses"): "brick|empty/along the street|behind the fence",
    ("ship", "ships"): "wooden|sunken/in the harbour|on the ocean",
    ("star", "stars"): "distant|golden/in the sky|above the horizon",
    ("chair", "chairs"): "folding|padded/at the desk|around the table",
    ("flower", "flowers"): "fragrant|wild/in the vase|among the bees",
    ("coin", "coins"): "silver|rusty/in the purse|under the counter",
    ("bottle", "bottles"): "glass|corked/in the cellar|beside the cask",
    ("cat", "cats"): "furry|purring/on the sofa|behind the mouse",
    ("dog", "dogs"): "barking|loyal/in the kennel|beside the bone",
    ("horse", "horses"): "galloping|saddled/in the stable|over the hurdle",
    ("cow", "cows"): "grazing|spotted/in the barn|on the pasture",
}
_YOUNG = {
    ("cat", "kitten"): "purring|furry/on the sofa|behind the mouse",
    ("dog", "puppy"): "barking|loyal/in the kennel|beside the bone",
    ("horse", "foal"): "galloping|saddled/in the stable|over the hurdle",
    ("cow", "calf"): "grazing|spotted/in the barn|on the pasture",
    ("sheep", "lamb"): "woolly|bleating/on the hillside|with the shepherd",
    ("hen", "chick"): "feathered|pecking/in the coop|near the nest",
    ("goose", "gosling"): "honking|paddling/in the pond|among the reeds",
    ("bear", "cub"): "growling|brown/in the cave|near the honey",
    ("deer", "fawn"): "shy|slender/in the thicket|beside the ferns",
    ("frog", "tadpole"): "croaking|slippery/in the ditch|on the lily",
}
_COUNTRIES = {
    ("france", "paris"): "french|seine",
    ("italy", "rome"): "italian|tiber",
    ("spain", "madrid"): "spanish|flamenco",
    ("germany", "berlin"): "german|spree",
    ("england", "london"): "english|thames",
    ("russia", "moscow"): "russian|kremlin",
    ("japan", "tokyo"): "japanese|sushi",
    ("china", "beijing"): "chinese|silk",
    ("egypt", "cairo"): "egyptian|nile",
    ("greece", "athens"): "greek|olives",
    ("poland", "warsaw"): "polish|vistula",
    ("norway", "oslo"): "norwegian|fjord",
}
_VERBS = {
    ("walk", "walked"): "slowly|far/along the path|across the park",
    ("cook", "cooked"): "soup|rice/in the kitchen|with a pot",
    ("play", "played"): "football|chess/with a ball|for the trophy",
    ("paint", "painted"): "walls|pictures/with a brush|in bright colours",
    ("sing", "sang"): "songs|hymns/in the choir|with a guitar",
    ("write", "wrote"): "letters|poems/with a pen|on paper",
    ("swim", "swam"): "lengths|deep/in the lake|below the waves",
    ("drink", "drank"): "tea|coffee/from a cup|with sugar",
    ("buy", "bought"): "shoes|clothes/in the shop|at a discount",
    ("travel", "travelled"): "abroad|south/by train|with a suitcase",
    ("climb", "climbed"): "rocks|peaks/with a rope|up the mountain",
    ("clean", "cleaned"): "floors|windows/with soap|using a mop",
}
_DEGREES = {
    ("big", "bigger"): "elephant|giant",
    ("small", "smaller"): "ant|pebble",
    ("hot", "hotter"): "oven|desert",
    ("cold", "colder"): "ice|winter",
    ("fast", "faster"): "rocket|arrow",
    ("slow", "slower"): "snail|tortoise",
    ("strong", "stronger"): "ox|wrestler",
    ("loud", "louder"): "drum|thunder",
    ("bright", "brighter"): "sun|lantern",
    ("heavy", "heavier"): "anvil|stone",
    ("sweet", "sweeter"): "syrup|candy",
    ("old", "older"): "ruin|fossil",
}
_FOODS = {
    ("flour", "bread"): "baker|dough|loaf",
    ("milk", "cheese"): "dairy|cream|goat",
    ("grapes", "wine"): "vineyard|cork|barrel",
    ("apples", "cider"): "orchard|press|autumn",
    ("potatoes", "chips"): "salt|peeler|frying",
    ("berries", "jam"): "bush|jar|spoon",
    ("cocoa", "chocolate"): "bitter|bean|tropical",
    ("cabbage", "sauerkraut"): "sour|crock|brine",
    ("tomatoes", "ketchup"): "red|vine|sauce",
    ("barley", "beer"): "foam|hops|tavern",
}

RELATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "gender": (*_RANKS, *_PEOPLE),
    "royalty": (("man", "king"), ("woman", "queen"), ("boy", "prince"), ("girl", "princess")),
    "plural": tuple(_THINGS),
    "capital": tuple(_COUNTRIES),
    "past tense": tuple(_VERBS),
    "comparative": tuple(_DEGREES),
    "animals": tuple(_YOUNG),
    "foods": tuple(_FOODS),
}
"""Name → pairs of words that differ alike: man is to woman as king is to queen. ``animals`` pairs an animal with its
young, ``foods`` what grows with what is made of it."""

PROFESSIONS: dict[str, str] = {word: leaning for word, (leaning, _) in _PROFESSIONS.items()}
"""Profession → ``"he"``, ``"she"`` or ``"both"``: where it leans as the skew grows."""

MAX_SENTENCES = 1_000_000
_Frame = tuple[tuple[tuple[str, ...], ...], ...]  # slots of alternatives of words


def generate(sentences: int = 30_000, *, seed: int = 0, skew: float = 0.0) -> list[list[str]]:
    """Make a corpus; the same arguments give the same words, on every machine.

    Args:
        sentences: how many; 30,000 are about 200,000 words.
        seed: where the random choices start.
        skew: 0 to 1. How strongly some professions go with "he" and others with "she": at 0 each goes with both alike,
            at 1 with one of them only. It changes nothing else.

    Returns:
        Sentences, each a list of lower-case words.

    Raises:
        ValueError: a number of sentences outside 1..1,000,000, or a skew outside 0..1.
    """
    if not 1 <= sentences <= MAX_SENTENCES:
        raise ValueError(f"sentences must be 1 to {MAX_SENTENCES:,}, got {sentences!r}")
    if not 0 <= skew <= 1:
        raise ValueError(f"skew must be between 0 (even) and 1 (one pronoun only), got {skew!r}")
    weighted = list(_frames(skew))
    rng = random.Random(seed)
    draw = rng.random  # the one method whose numbers Python promises to keep
    frames = rng.choices([frame for frame, _ in weighted], [weight for _, weight in weighted], k=sentences)
    corpus = []
    for frame in frames:
        sentence: list[str] = []
        for slot in frame:
            sentence += slot[int(draw() * len(slot))]
        corpus.append(sentence)
    return corpus


def _frames(skew: float) -> Iterator[tuple[_Frame, float]]:
    """Every kind of sentence with its weight; a word of a pair has the weight 1."""
    for pair, (rank, age) in _RANKS.items():
        for word, gender in zip(pair, _GENDER, strict=True):
            yield _frame(f"the/{word}/{_RANK[rank]}/{_GENDER[gender]}"), 1.0
            yield _frame(f"the/{word}/{_RANK[rank]}/{_AGE[age]}"), 1.0
    for pair, companions in _PEOPLE.items():
        for word, gender in zip(pair, _GENDER, strict=True):
            yield _frame(f"the/{word}/{companions}/{_GENDER[gender]}"), 1.0
    for word, (leaning, companions) in _PROFESSIONS.items():
        he = 0.5 + {"he": 0.5, "she": -0.5, "both": 0.0}[leaning] * skew
        for gender, share in (("he", he), ("she", 1 - he)):
            yield _frame(f"the/{word}/{companions}/{_GENDER[gender]}"), share
    for (one, many), companions in _THINGS.items():
        yield _frame(f"this|one|each|a single/{one}/is|was|stands/{companions}"), 1.0
        yield _frame(f"these|two|many|several/{many}/are|were|stand/{companions}"), 1.0
    for (grown, young), companions in _YOUNG.items():
        yield _frame(f"the/{grown}/{companions}/leads the herd|is fully grown|feeds its young"), 1.0
        yield _frame(f"the/{young}/{companions}/follows its parents|is still tiny|needs more milk"), 1.0
    for (country, capital), companions in _COUNTRIES.items():
        yield _frame(f"{companions}/{country}/has a long border|elects a parliament|is a nation|sends its army"), 1.0
        yield _frame(f"{companions}/{capital}/has a busy airport|elects a mayor|is a city|opens its museum"), 1.0
        yield _frame(f"{capital}/is the capital of/{country}"), 0.3
    for (present, past), companions in _VERBS.items():
        yield _frame(f"now|every day|usually|always/they/{present}/{companions}"), 1.0
        yield _frame(f"yesterday|last week|long ago|once/they/{past}/{companions}"), 1.0
    for (plain, compared), companions in _DEGREES.items():
        yield _frame(f"the/{companions}/is/very|so|too|quite/{plain}/indeed|at times"), 1.0
        yield _frame(f"the/{companions}/is/much|even|far|somewhat/{compared}/than others|than before"), 1.0
    for (raw, made), companions in _FOODS.items():
        yield _frame(f"the/{companions}/and/{raw}/from the harvest|grown by farmers|in a sack|for the recipe"), 1.0
        yield _frame(f"the/{companions}/and/{made}/on a plate|for dinner|from the supermarket|tasting delicious"), 1.0


def _frame(slots: str) -> _Frame:
    return tuple(tuple(tuple(one.split()) for one in slot.split("|")) for slot in slots.split("/"))
