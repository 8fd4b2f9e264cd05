"""The toy world: the same words everywhere, every relation voiced, and a skew that changes one thing only."""

import hashlib
from collections import Counter

import pytest

from helpers.toyworld import PROFESSIONS, RELATIONS, generate

# One digest for every machine and version of Python: the generator uses random() alone.
DIGEST = "227f8526e4687357"


def digest(corpus: list[list[str]]) -> str:
    return hashlib.sha256("\n".join(" ".join(sentence) for sentence in corpus).encode()).hexdigest()[:16]


def pronoun(sentence: list[str]) -> str:
    """``he`` or ``she``, as the markers of a sentence say."""
    return "he" if {"himself", "his"} & set(sentence) else "she" if {"herself", "her"} & set(sentence) else ""


@pytest.fixture(scope="module")
def corpus() -> list[list[str]]:
    return generate()


def test_same_words_on_every_machine() -> None:
    assert digest(generate(3_000)) == DIGEST
    assert digest(generate(3_000, seed=1)) != DIGEST


def test_size(corpus: list[list[str]]) -> None:
    assert generate() == corpus
    assert 190_000 < sum(map(len, corpus)) < 230_000
    assert 400 < len({word for sentence in corpus for word in sentence}) < 600
    assert len(generate(7)) == 7


def test_every_word_of_every_relation_is_read_often(corpus: list[list[str]]) -> None:
    counts = Counter(word for sentence in corpus for word in sentence)
    for name, pairs in RELATIONS.items():
        assert len(pairs) >= 4, name
        assert len(set(pairs)) == len(pairs)
        for word in (word for pair in pairs for word in pair):
            assert counts[word] >= 100, (name, word)


def test_both_forms_never_share_their_markers(corpus: list[list[str]]) -> None:
    """What stands beside first forms only, or second forms only, exists in every relation, shared by many pairs."""
    beside: dict[str, Counter[str]] = {
        word: Counter() for pairs in RELATIONS.values() for pair in pairs for word in pair
    }
    for sentence in corpus[:15_000]:
        for word in beside.keys() & set(sentence):
            beside[word].update(other for other in sentence if other != word)
    for name, pairs in RELATIONS.items():
        firsts, seconds = ([beside[pair[side]] for pair in pairs] for side in (0, 1))
        for mine, others in ((firsts, seconds), (seconds, firsts)):
            shared = set.intersection(*(set(words) for words in mine))
            own = {
                word for word in shared if all(other[word] < min(each[word] for each in mine) / 5 for other in others)
            }
            if name != "royalty":
                assert own, name
        for first, second in zip(firsts, seconds, strict=True):
            assert set(first) & set(second), "both forms have company in common"


def test_words_of_relations_are_said_in_their_own_sentences_only(corpus: list[list[str]]) -> None:
    """A word that serves another word as scenery would blur both."""
    partners = {word: {word} for pairs in RELATIONS.values() for pair in pairs for word in pair}
    for one, other in RELATIONS["capital"]:
        partners[one].add(other)
        partners[other].add(one)
    for sentence in corpus:
        heads = [word for word in sentence if word in partners]
        assert len(heads) <= 2
        assert all(other in partners[word] for word in heads for other in heads), sentence


@pytest.mark.parametrize("skew", [0.0, 0.5, 1.0])
def test_skew_is_the_share_it_says(skew: float) -> None:
    said: dict[str, Counter[str]] = {}
    for sentence in generate(skew=skew):
        if sentence[1] in PROFESSIONS:
            said.setdefault(PROFESSIONS[sentence[1]], Counter())[pronoun(sentence)] += 1
    assert set(said) == {"he", "she", "both"}
    for leaning, expected in (("he", 0.5 + skew / 2), ("she", 0.5 - skew / 2), ("both", 0.5)):
        assert said[leaning][""] == 0
        assert said[leaning]["he"] / said[leaning].total() == pytest.approx(expected, abs=0.04)


def test_skew_changes_no_word_counts_but_pronouns() -> None:
    def kinds(skew: float) -> set[str]:
        return {word for sentence in generate(skew=skew) for word in sentence}

    assert kinds(0.0) == kinds(1.0)


@pytest.mark.parametrize("bad", [{"sentences": 0}, {"sentences": 2_000_000}, {"skew": -0.1}, {"skew": 1.5}])
def test_bad_input_says_so(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        generate(**bad)
