"""Pairs of submissions with unusually similar passages, for review by an instructor.

Code is compared by its syntax trees without comments, docstrings, annotations and the names that learners chose. The
fingerprints are those of winnowing (Schleimer, Wilkerson and Aiken 2003): of the hashes of all sequences of
:data:`SEQUENCE` tokens, one in each window of :data:`WINDOW`, so that every common passage of ``SEQUENCE + WINDOW - 1``
tokens is found at any position. Passages of the author's notebook, or of many learners, do not count.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

SEQUENCE, WINDOW = 10, 4
USUAL = 0.25
"""Passages that a larger share of the class has do not count."""
AT_LEAST = 20.0
"""The lowest score of a pair that is listed: about five lines of code that no other learner has."""

_FENCE = 3.0  # interquartile ranges above the third quartile of all scores: Tukey's far-out values
_MIN_PAIRS = 100  # below this number, quartiles are not reliable

_SHORTEST_STATEMENT = 8  # tokens of a statement that is also compared as a whole
_LONGEST_CELL = 100_000  # characters
_PROSE_WORDS = 4  # a string constant with so many words is compared word by word
_UNNAMED = "·"  # replaces all names that a learner chose


@dataclass(frozen=True)
class Token:
    """One token of a normalised cell, and its line."""

    text: str
    line: int


@dataclass(frozen=True)
class Cell:
    """One cell of a submission.

    Attributes:
        name: its ``grade_id``, or its number if a learner added it.
        source: its text.
        is_code: whether it is code, instead of text.
    """

    name: str
    source: str
    is_code: bool = True


@dataclass(frozen=True)
class Passage:
    """Cells of two learners that share unusual code or text.

    Attributes:
        first, second: the cells.
        first_lines, second_lines: the lines that they share, from 1.
    """

    first: Cell
    second: Cell
    first_lines: frozenset[int]
    second_lines: frozenset[int]


@dataclass(frozen=True)
class Pair:
    """Two learners whose answers agree.

    Attributes:
        learners: their ids.
        score: the weighted number of shared fingerprints: the weight is 1 if only these two have it, and lower if more
            learners do.
        shares: the share of each learner's fingerprints that the other has, between 0 and 1.
        passages: the shared passages.
    """

    learners: tuple[str, str]
    score: float
    shares: tuple[float, float]
    passages: tuple[Passage, ...]


@dataclass
class _Submission:
    cells: list[Cell]
    tokens: list[list[Token]]
    positions: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    """Fingerprint → cell, first and last token of each occurrence."""


def similar_pairs(
    submissions: Mapping[str, Sequence[Cell]], author: Sequence[Cell], at_least: float = AT_LEAST
) -> list[Pair]:
    """The pairs that share more unusual passages than others of the class, the highest score first.

    Args:
        submissions: the cells of each learner.
        author: cells whose passages do not count: the released ones and the author's solutions.
        at_least: the lowest score of a pair that is returned.
    """
    base = {fingerprint for cell in author for fingerprint, _, _ in _fingerprints(tokens(cell))}
    known = {(cell.is_code, cell.source.strip()) for cell in author}
    prepared = {
        learner: _prepare([cell for cell in cells if (cell.is_code, cell.source.strip()) not in known], base)
        for learner, cells in submissions.items()
    }
    weights = _weights(prepared)
    owners: dict[int, list[str]] = defaultdict(list)
    for learner, submission in prepared.items():
        for fingerprint in submission.positions.keys() & weights.keys():
            owners[fingerprint].append(learner)
    scores: dict[tuple[str, str], float] = defaultdict(float)
    for fingerprint, learners in owners.items():
        for pair in combinations(learners, 2):
            scores[pair] += weights[fingerprint]
    lowest = max(at_least, _fence(list(scores.values()), len(prepared) * (len(prepared) - 1) // 2))
    pairs = [
        Pair(pair, score, *_compare(prepared[pair[0]], prepared[pair[1]], weights))
        for pair, score in scores.items()
        if score >= lowest
    ]
    return sorted(pairs, key=lambda pair: (-pair.score, pair.learners))


def tokens(cell: Cell) -> list[Token]:
    """The normalised tokens of a cell: of code those of its syntax tree, of a text its words in lower case."""
    source = cell.source[:_LONGEST_CELL]
    if cell.is_code:
        for attempt in (lambda: source, lambda: TransformerManager().transform_cell(source)):
            try:
                return list(_code_tokens(ast.parse(attempt())))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return [
        Token(word.lower(), number)
        for number, line in enumerate(source.splitlines(), start=1)
        for word in re.findall(r"\w+", line)
    ]


def _weights(prepared: Mapping[str, _Submission]) -> dict[int, float]:
    """The weights of fingerprints that at least two learners have, and not too many."""
    counts = Counter(fingerprint for submission in prepared.values() for fingerprint in submission.positions)
    learners, most = len(prepared), max(3, int(USUAL * len(prepared)))
    return {
        fingerprint: 1.0 if count == 2 else math.log2(learners / count) / math.log2(learners / 2)
        for fingerprint, count in counts.items()
        if 2 <= count <= most and (count == 2 or count < learners)
    }


def _fence(scores: list[float], pairs: int) -> float:
    """The score above which a pair is an outlier; pairs without shared fingerprints have the score 0."""
    if pairs < _MIN_PAIRS:
        return 0.0
    lower, _, upper = statistics.quantiles(scores + [0.0] * (pairs - len(scores)), n=4, method="inclusive")
    return upper + _FENCE * (upper - lower)


def _prepare(cells: list[Cell], base: Collection[int]) -> _Submission:
    submission = _Submission(cells, [tokens(cell) for cell in cells])
    for index, sequence in enumerate(submission.tokens):
        for fingerprint, first, last in _fingerprints(sequence):
            if fingerprint not in base:
                submission.positions.setdefault(fingerprint, []).append((index, first, last))
    return submission


def _compare(
    first: _Submission, second: _Submission, weights: Collection[int]
) -> tuple[tuple[float, float], tuple[Passage, ...]]:
    """The shares and the passages of a pair."""
    shared = first.positions.keys() & second.positions.keys()
    lines: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for fingerprint in shared:
        if fingerprint not in weights:
            continue
        for cell, start, end in first.positions[fingerprint]:
            for other, other_start, other_end in second.positions[fingerprint]:
                lines_1, lines_2 = lines.setdefault((cell, other), (set(), set()))
                lines_1.update(token.line for token in first.tokens[cell][start : end + 1])
                lines_2.update(token.line for token in second.tokens[other][other_start : other_end + 1])
    passages = tuple(
        Passage(first.cells[cell], second.cells[other], frozenset(lines_1), frozenset(lines_2))
        for (cell, other), (lines_1, lines_2) in sorted(lines.items())
    )
    return (len(shared) / len(first.positions), len(shared) / len(second.positions)), passages


# Fingerprints.


def _fingerprints(sequence: Sequence[Token]) -> Iterator[tuple[int, int, int]]:
    """Hash, first and last token of the fingerprints of a cell."""
    hashes = [_hash(sequence[start : start + SEQUENCE]) for start in range(len(sequence) - SEQUENCE + 1)]
    yield from ((hashes[start], start, start + SEQUENCE - 1) for start in winnow(hashes))
    start = 0
    while start < len(sequence):  # whole statements, so that their order does not matter
        end = start + 1
        while end < len(sequence) and not sequence[end].text.startswith("stmt "):
            end += 1
        if sequence[start].text.startswith("stmt ") and end - start >= _SHORTEST_STATEMENT:
            yield -_hash(sequence[start:end]), start, end - 1
        start = end


def _hash(sequence: Sequence[Token]) -> int:
    """A hash that is the same in every process."""
    text = "\0".join(token.text for token in sequence)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def winnow(hashes: Sequence[int]) -> list[int]:
    """The indices that winnowing selects: in each window the smallest hash, of equal ones the last."""
    selected: list[int] = []
    for start in range(max(1, len(hashes) - WINDOW + 1) if hashes else 0):
        window = range(start, min(start + WINDOW, len(hashes)))
        index = min(window, key=lambda position: (hashes[position], -position))
        if not selected or selected[-1] != index:
            selected.append(index)
    return selected


# Syntax trees.


def _code_tokens(tree: ast.Module) -> Iterator[Token]:
    chosen = set(_chosen_names(tree))
    # Each entry is a node and the line of the last node that had one. A stack, for trees of any depth.
    waiting: list[tuple[ast.AST, int]] = [(node, 1) for node in reversed(tree.body)]
    while waiting:
        node, line = waiting.pop()
        line = getattr(node, "lineno", line)
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
            continue
        yield from _own_tokens(node, line, chosen)
        waiting += [(child, line) for child in reversed(list(_children(node)))]


def _own_tokens(node: ast.AST, line: int, chosen: Collection[str]) -> Iterator[Token]:
    kind = type(node).__name__
    if isinstance(node, ast.stmt):
        yield Token(f"stmt {kind}", line)
    elif isinstance(node, ast.Name):
        yield Token(_UNNAMED if node.id in chosen else node.id, line)
    elif isinstance(node, ast.arg | ast.ExceptHandler):
        yield Token(f"{kind} {_UNNAMED}", line)
    elif isinstance(node, ast.Attribute):
        yield Token(f".{node.attr}", line)
    elif isinstance(node, ast.keyword):
        yield Token(f"{node.arg}=", line)
    elif isinstance(node, ast.Constant):
        words = re.findall(r"\w+", node.value) if isinstance(node.value, str) else []
        if len(words) >= _PROSE_WORDS:
            yield from (Token(word.lower(), line) for word in words)
        else:
            yield Token(repr(node.value)[:200], line)
    else:
        yield Token(kind, line)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node, without annotations and contexts."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "ctx", "type_comment"):
            continue
        parts: list[Any] = value if isinstance(value, list) else [value]
        yield from (part for part in parts if isinstance(part, ast.AST))


def _is_docstring(node: ast.AST) -> bool:
    """Whether a statement is only a text, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _chosen_names(tree: ast.AST) -> Iterator[str]:
    """The names that this code defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
