"""A toy corpus from a hand-written grammar, and the relations between words that hold in it.

Because the relations are known, accuracy on them can be measured. Every feature of a word (number, gender, rank, age,
tense, degree) is expressed near the word, by markers that all words with this feature share, and both words of a pair
share some context words. Word vectors can learn only what is expressed in the text.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

# The two words of a pair: the context words they share. "/" separates slots of a sentence, "|" alternatives.
_PEOPLE = {
    ("father", "mother"): "rocked the cradle|held the baby",
    ("son", "daughter"): "inherited the farm|obeyed",
    ("brother", "sister"): "shared a bedroom|teased the twins",
    ("uncle", "aunt"): "came to visit|brought a present",
    ("husband", "wife"): "planned the wedding|kept the ring",
    ("grandfather", "grandmother"): "told tales|remembered the war",
    ("actor", "actress"): "appeared on stage|starred in a film",
    ("waiter", "waitress"): "brought the menu|served the guests",
    ("wizard", "witch"): "cast a spell|brewed a potion",
    ("monk", "nun"): "prayed in the abbey|lit a candle",
}
_RANKS = {
    ("man", "woman"): ("common", "adult"),
    ("boy", "girl"): ("common", "child"),
    ("king", "queen"): ("royal", "adult"),
    ("prince", "princess"): ("royal", "child"),
}
_RANK = {
    "common": "wore a coat|lived simply|owned a cottage",
    "royal": "wore a crown|ruled wisely|led the court",
}
_AGE = {"adult": "grown|serious|busy", "child": "little|young|playful"}
_GENDER = {"he": "himself|in his suit|with his beard", "she": "herself|in her dress|with her necklace"}
# The pronoun that occurs more often with a profession as the skew grows; with "both", neither does.
_PROFESSIONS = {
    "engineer": ("he", "built a bridge"),
    "pilot": ("he", "flew a plane"),
    "programmer": ("he", "coded an app"),
    "carpenter": ("he", "carved a cupboard"),
    "surgeon": ("he", "operated at night"),
    "plumber": ("he", "mended a pipe"),
    "nurse": ("she", "bandaged a patient"),
    "teacher": ("she", "taught a class"),
    "librarian": ("she", "lent a novel"),
    "secretary": ("she", "typed a memo"),
    "dancer": ("she", "practised a waltz"),
    "florist": ("she", "tied a bouquet"),
    "painter": ("both", "finished a portrait"),
    "lawyer": ("both", "argued a case"),
    "author": ("both", "published an essay"),
    "chef": ("both", "seasoned the stew"),
}
_THINGS = {
    ("car", "cars"): "shiny|broken/on the road|in the garage",
    ("tree", "trees"): "tall|leafy/in the forest|near the meadow",
    ("book", "books"): "thick|printed/on the shelf|in the library",
    ("house", "houses"): "brick|empty/along the street|behind the fence",
    ("ship", "ships"): "wooden|sunken/in the harbour|on the ocean",
    ("star", "stars"): "distant|golden/in the sky|above the horizon",
    ("chair", "chairs"): "folding|padded/at the desk|around the table",
    ("flower", "flowers"): "fragrant|wild/in the vase|among the bees",
}
_ANIMALS = {
    ("cat", "kitten"): "furry|purring/on the sofa|behind the mouse",
    ("dog", "puppy"): "barking|loyal/in the kennel|beside the bone",
    ("horse", "foal"): "galloping|saddled/in the stable|over the hurdle",
    ("cow", "calf"): "grazing|spotted/in the barn|on the pasture",
    ("sheep", "lamb"): "woolly|bleating/on the hillside|near the shepherd",
    ("hen", "chick"): "feathered|pecking/in the coop|on the nest",
    ("goose", "gosling"): "honking|paddling/in the pond|among the reeds",
    ("bear", "cub"): "growling|brown/in the cave|near the honey",
    ("deer", "fawn"): "shy|slender/in the thicket|beside the ferns",
    ("frog", "tadpole"): "croaking|slippery/in the ditch|on the lily",
}
_HERDS = {"cat": "cats", "dog": "dogs", "horse": "horses", "cow": "cows"}
_COUNTRIES = {
    ("france", "paris"): "french perfume|seine",
    ("italy", "rome"): "italian pasta|tiber",
    ("spain", "madrid"): "spanish flamenco|tapas",
    ("germany", "berlin"): "german sausages|spree",
    ("england", "london"): "english tweed|thames",
    ("russia", "moscow"): "russian caviar|kremlin",
    ("japan", "tokyo"): "japanese sushi|samurai",
    ("china", "beijing"): "chinese silk|pandas",
    ("egypt", "cairo"): "egyptian pyramids|nile",
    ("greece", "athens"): "greek olives|temples",
}
_VERBS = {
    ("walk", "walked"): "along the path|across the park",
    ("cook", "cooked"): "in the kitchen|with a pot",
    ("play", "played"): "with a ball|for the trophy",
    ("paint", "painted"): "with a brush|on canvas",
    ("sing", "sang"): "in the choir|with a guitar",
    ("write", "wrote"): "with a pen|on paper",
    ("swim", "swam"): "in the lake|below the waves",
    ("drink", "drank"): "tea from a cup|coffee",
    ("buy", "bought"): "shoes in the shop|clothes",
    ("travel", "travelled"): "abroad by train|with a suitcase",
    ("climb", "climbed"): "up the mountain|with a rope",
    ("clean", "cleaned"): "with soap|using a mop",
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
    ("flour", "bread"): "baker|dough",
    ("milk", "cheese"): "dairy|cream",
    ("grapes", "wine"): "vineyard|cork",
    ("apples", "cider"): "orchard|press",
    ("potatoes", "chips"): "salt|peeler",
    ("berries", "jam"): "bush|jar",
    ("cocoa", "chocolate"): "bean|sugar",
    ("cabbage", "sauerkraut"): "crock|brine",
    ("tomatoes", "ketchup"): "vine|sauce",
    ("barley", "beer"): "foam|hops",
}

RELATIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "gender": (*_RANKS, *_PEOPLE),
    "royalty": (("man", "king"), ("woman", "queen"), ("boy", "prince"), ("girl", "princess")),
    "plural": (*_THINGS, *_HERDS.items()),
    "capital": tuple(_COUNTRIES),
    "past tense": tuple(_VERBS),
    "comparative": tuple(_DEGREES),
    "animals": tuple(_ANIMALS),
    "foods": tuple(_FOODS),
}
"""Name → pairs of words in that relation: man is to woman as king is to queen. ``animals`` pairs an animal with its
young, ``foods`` an ingredient with what is made of it."""

PROFESSIONS: dict[str, str] = {word: pronoun for word, (pronoun, _) in _PROFESSIONS.items()}
"""Profession → ``"he"``, ``"she"`` or ``"both"``: the pronoun that it occurs with more often as the skew grows."""

MAX_SENTENCES = 1_000_000
_Frame = tuple[tuple[tuple[str, ...], ...], ...]  # slots, each a tuple of alternatives, each a tuple of words


def generate(sentences: int = 30_000, *, seed: int = 0, skew: float = 0.0) -> list[list[str]]:
    """Generate a corpus; the result depends on the arguments only, not on the machine.

    Args:
        sentences: number of sentences; 30,000 are about 200,000 words.
        seed: seed of the random choices.
        skew: 0 to 1. How strongly some professions occur with "he" and others with "she": at 0 each occurs with both
            equally often, at 1 with one of them only. Nothing else changes.

    Returns:
        Sentences, each a list of lower-case words.

    Raises:
        ValueError: ``sentences`` outside 1..1,000,000, or ``skew`` outside 0..1.
    """
    if not 1 <= sentences <= MAX_SENTENCES:
        raise ValueError(f"sentences must be 1 to {MAX_SENTENCES:,}, got {sentences!r}")
    if not 0 <= skew <= 1:
        raise ValueError(f"skew must be between 0 (even) and 1 (one pronoun only), got {skew!r}")
    weighted = list(_frames(skew))
    rng = random.Random(seed)
    draw = rng.random  # the only method whose sequence is guaranteed to stay the same between versions of Python
    frames = rng.choices([frame for frame, _ in weighted], [weight for _, weight in weighted], k=sentences)
    corpus = []
    for frame in frames:
        sentence: list[str] = []
        for slot in frame:
            sentence += slot[int(draw() * len(slot))]
        corpus.append(sentence)
    return corpus


def _frames(skew: float) -> Iterator[tuple[_Frame, float]]:
    """Every sentence frame with its sampling weight."""
    for pair, (rank, age) in _RANKS.items():
        for word, gender in zip(pair, _GENDER, strict=True):
            yield _frame(f"the/{_AGE[age]}/{word}/{_GENDER[gender]}/{_RANK[rank]}"), 2.0
    for pair, companions in _PEOPLE.items():
        for word, gender in zip(pair, _GENDER, strict=True):
            yield _frame(f"the/{word}/{_GENDER[gender]}/{companions}"), 1.0
    for word, (pronoun, companions) in _PROFESSIONS.items():
        he = 0.5 + {"he": 0.5, "she": -0.5, "both": 0.0}[pronoun] * skew
        for gender, weight in (("he", he), ("she", 1 - he)):
            yield _frame(f"the/{word}/{_GENDER[gender]}/{companions}"), weight
    for (singular, plural), companions in _THINGS.items():
        yield _singular(singular, companions), 1.0
        yield _plural(plural, companions), 1.0
    for (grown, young), companions in _ANIMALS.items():
        location = companions.split("/")[1]
        yield _singular(grown, companions), 0.5
        yield _singular(young, companions), 0.5
        yield _frame(f"the/{grown}/{location}/leads the herd|is an adult|guards its offspring"), 1.0
        yield _frame(f"the/{young}/{location}/follows its parents|is still tiny|was newly born"), 1.0
        if grown in _HERDS:
            yield _plural(_HERDS[grown], companions), 1.0
    for (country, capital), companions in _COUNTRIES.items():
        yield _frame(f"{country}/with its/{companions}/elects a parliament|is a nation|sends an army"), 1.0
        yield _frame(f"{capital}/with its/{companions}/elects a mayor|is a city|opens an airport"), 1.0
        yield _frame(f"{capital}/is the capital of/{country}"), 0.3
    for (present, past), companions in _VERBS.items():
        yield _frame(f"now|usually|always/they/{present}/{companions}/today|every day"), 1.0
        yield _frame(f"once|formerly|then/they/{past}/{companions}/yesterday|last week"), 1.0
    for (plain, compared), companions in _DEGREES.items():
        yield _frame(f"the/{companions}/is/very|so|too|quite/{plain}/indeed|at times"), 1.0
        yield _frame(f"the/{companions}/is/much|even|far|somewhat/{compared}/than others|than before"), 1.0
    for (raw, made), companions in _FOODS.items():
        yield _frame(f"the/{companions}/and/{raw}/from the harvest|grown by farmers|in a sack"), 1.0
        yield _frame(f"the/{companions}/and/{made}/on a plate|for dinner|from the supermarket"), 1.0


def _singular(word: str, companions: str) -> _Frame:
    return _frame(f"this|one|each|a single/{word}/is|was|stands/{companions}")


def _plural(words: str, companions: str) -> _Frame:
    return _frame(f"these|two|many|several/{words}/are|were|stand/{companions}")


def _frame(slots: str) -> _Frame:
    return tuple(tuple(tuple(words.split()) for words in slot.split("|")) for slot in slots.split("/"))
