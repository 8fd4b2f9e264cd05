"""Text of the documentation and of files: sentences, words, and errors."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import corpus

PROSE = " ".join(["The quick brown fox jumps over the lazy dog again."] * 120)


def test_text_is_split_into_sentences() -> None:
    text = "Don't stop. Go on!\n\nA heading\n\nÜber 3 Äpfel; done\r\n\r\nno_underscores here"
    expected = [["don't", "stop"], ["go", "on"], ["a", "heading"], ["über", "äpfel"], ["no", "underscores", "here"]]
    assert corpus.sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Un café naïf à Málaga", ["un", "café", "naïf", "à", "málaga"]),
        ("I don’t know, it’s his", ["i", "don't", "know", "it's", "his"]),
        ("rock'n'roll 'quoted words'", ["rock'n'roll", "quoted", "words"]),
        ("Donau\u00addampf\u00adschiff fährt", ["donaudampfschiff", "fährt"]),
        ("İstanbul ve Iğdır", ["istanbul", "ve", "iğdır"]),
        ("क्या आपके पास मिल्क है।", ["क्या", "आपके", "पास", "मिल्क", "है"]),
        ("كَتَبَ الوَلَدُ رِسَالَةً", ["كَتَبَ", "الوَلَدُ", "رِسَالَةً"]),
        ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
        ("می\u200cخواهم نمی\u200cدانم", ["می\u200cخواهم", "نمی\u200cدانم"]),
        ("ὈΔΥΣΣΕΎΣ φεύγει", ["ὀδυσσεύς", "φεύγει"]),
        ("việt nam 2024 x_y", ["việt", "nam", "x", "y"]),
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_of_many_scripts_stay_whole(text: str, words: list[str], form) -> None:
    assert corpus.sentences(unicodedata.normalize(form, text)) == [[unicodedata.normalize("NFC", w) for w in words]]


def test_marks_and_joiners_without_a_letter_are_no_words() -> None:
    assert corpus.sentences("a \u0301 b \u200d c \u200c' d") == [["a", "b", "c", "d"]]


@given(st.text(st.characters(categories=["L", "M", "N", "P", "Zs", "Cf"]), max_size=60))
def test_every_letter_is_in_a_word_and_words_are_normal(text: str) -> None:
    text = re.sub("[.!?:;।॥؟؛۔]", " ", text)  # one sentence, so that no sentence of one word is left out
    [found] = corpus.sentences(f"first {text} last")
    kinds = {unicodedata.category(sign)[0] for word in found for sign in word if sign not in "'\u200c\u200d"}
    assert kinds <= {"L", "M"}
    assert all(word == unicodedata.normalize("NFC", word) for word in found)
    wanted = [sign for sign in unicodedata.normalize("NFC", text.lower()) if unicodedata.category(sign)[0] == "L"]
    assert [sign for word in found[1:-1] for sign in word if unicodedata.category(sign)[0] == "L"] == wanted


@pytest.fixture(scope="module")
def library() -> list[list[str]]:
    return corpus.documentation()


def test_the_library_is_large_and_not_imported(library: list[list[str]]) -> None:
    before = set(sys.modules)
    assert corpus.documentation() == library
    assert set(sys.modules) - before <= {"ast", "_ast"}
    assert sum(map(len, library)) > 120_000


def test_the_library_reads_like_prose(library: list[list[str]]) -> None:
    together = [" ".join(sentence) for sentence in library]
    assert len(set(together)) == len(together)
    assert all(word == word.lower() and not any(map(str.isdigit, word)) for sentence in library for word in sentence)
    words = [word for sentence in library for word in sentence]
    assert words.count("the") > 0.04 * len(words)
    assert words.count("self") < 0.002 * len(words)
    assert words.count("server") > 50


def test_only_documentation_is_read(tmp_path) -> None:
    prose = "\n\n".join(f"Sentence {'very ' * n}short of words." for n in range(50))
    (tmp_path / "one.py").write_text(
        f'"""{prose}\n\n>>> call(me)\n\nThe x = y code here."""\nhidden = "not read here"\n'
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "two.py").write_text('"""A test is left out."""')
    (tmp_path / "broken.py").write_bytes(b'"""Bad \xff bytes are passed over."""')
    words = {word for sentence in corpus.documentation(tmp_path) for word in sentence}
    assert {"sentence", "short", "passed"} <= words
    assert not {"call", "hidden", "read", "test", "code"} & words


def test_folders_without_sources_or_text_are_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no Python sources"):
        corpus.documentation(tmp_path)
    (tmp_path / "one.py").write_text('"""A few words only."""')
    with pytest.raises(ValueError, match="has 4 words; at least 1,000"):
        corpus.documentation(tmp_path)


def test_a_text_file_is_read(tmp_path) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(b"\xef\xbb\xbf" + PROSE.encode())
    read = corpus.read_text(path)
    assert len(read) == 120
    assert read[0][:2] == ["the", "quick"]
    assert corpus.read_text(str(path)) == read


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "zero bytes"),
        ("Grüße ".encode("latin-1") * 400, r"not UTF-8 \(byte 2 is 0xfc\)"),
        (PROSE.encode("utf-16"), "zero bytes"),
        (b"only a few words", "has 4 words; at least 1,000"),
        (b"1 2 3 4 5 " * 900, "has 0 words"),
    ],
)
def test_invalid_files_are_refused(tmp_path, content: bytes, says: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"mine.txt.*{says}"):
        corpus.read_text(path)


def test_missing_and_huge_files_are_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(FileNotFoundError):
        corpus.read_text(tmp_path / "none.txt")
    monkeypatch.setattr(corpus, "MAX_BYTES", 10)
    (tmp_path / "huge.txt").write_text("more than ten bytes")
    with pytest.raises(ValueError, match="huge.txt has"):
        corpus.read_text(tmp_path / "huge.txt")
