"""The toy corpus: reproducibility, relations, and the effect of the skew."""

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


def test_the_words_do_not_depend_on_the_machine() -> None:
    assert digest(generate(3_000)) == DIGEST
    assert digest(generate(3_000, seed=1)) != DIGEST


def test_size_of_the_corpus_and_of_its_vocabulary(corpus: list[list[str]]) -> None:
    assert generate() == corpus
    assert 190_000 < sum(map(len, corpus)) < 230_000
    assert 400 < len({word for sentence in corpus for word in sentence}) < 600
    assert len(generate(7)) == 7


def test_every_word_of_every_relation_is_frequent(corpus: list[list[str]]) -> None:
    counts = Counter(word for sentence in corpus for word in sentence)
    for name, pairs in RELATIONS.items():
        assert len(pairs) >= 4, name
        assert len(set(pairs)) == len(pairs)
        for word in (word for pair in pairs for word in pair):
            assert counts[word] >= 100, (name, word)


def test_both_forms_never_share_their_markers(corpus: list[list[str]]) -> None:
    """In every relation, many pairs share words that occur only with first forms, or only with second forms."""
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


def test_words_of_relations_occur_only_in_their_own_sentences(corpus: list[list[str]]) -> None:
    """Otherwise the contexts of two words would be mixed."""
    partners = {word: {word} for pairs in RELATIONS.values() for pair in pairs for word in pair}
    for one, other in RELATIONS["capital"]:
        partners[one].add(other)
        partners[other].add(one)
    for sentence in corpus:
        heads = [word for word in sentence if word in partners]
        assert len(heads) <= 2
        assert all(other in partners[word] for word in heads for other in heads), sentence


@pytest.mark.parametrize("skew", [0.0, 0.5, 1.0])
def test_skew_determines_the_share_of_pronouns(skew: float) -> None:
    said: dict[str, Counter[str]] = {}
    for sentence in generate(skew=skew):
        if sentence[1] in PROFESSIONS:
            said.setdefault(PROFESSIONS[sentence[1]], Counter())[pronoun(sentence)] += 1
    assert set(said) == {"he", "she", "both"}
    for leaning, expected in (("he", 0.5 + skew / 2), ("she", 0.5 - skew / 2), ("both", 0.5)):
        assert said[leaning][""] == 0
        assert said[leaning]["he"] / said[leaning].total() == pytest.approx(expected, abs=0.04)


def test_skew_changes_only_the_counts_of_pronouns() -> None:
    def kinds(skew: float) -> set[str]:
        return {word for sentence in generate(skew=skew) for word in sentence}

    assert kinds(0.0) == kinds(1.0)


@pytest.mark.parametrize("bad", [{"sentences": 0}, {"sentences": 2_000_000}, {"skew": -0.1}, {"skew": 1.5}])
def test_invalid_arguments_raise(bad: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        generate(**bad)
