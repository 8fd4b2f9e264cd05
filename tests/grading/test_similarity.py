"""Planted copies come first, whatever was renamed, reordered or commented; independent right answers do not."""

from __future__ import annotations

import ast
import random
import time
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode

from helpers.grading.__main__ import main
from helpers.grading.course import Course
from helpers.grading.report import similar
from helpers.grading.similarity import WINDOW, Cell, similar_pairs, tokens, winnow
from tests.corpus import STYLES
from tests.tools.homework import SMALL, answered_small, hand_in
from tests.tools.refresh import homeworks

AUTHORS = {path.stem[:3]: nbformat.read(path, as_version=4) for path in homeworks() if path.stem[:3] in ("hw1", "hw2")}
FLIPPED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}


def author(homework: str) -> list[Cell]:
    return [Cell("", cell.source, cell.cell_type == "code") for cell in AUTHORS[homework].cells]


class _Varied(ast.NodeTransformer):
    """Rewrites parts of the code in an equivalent form, as another person could write them."""

    def __init__(self, numbers: random.Random) -> None:
        self.numbers = numbers

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Add | ast.Mult) and self.numbers.random() < 0.3:
            node.left, node.right = node.right, node.left
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1 and (flipped := FLIPPED.get(type(node.ops[0]))) and self.numbers.random() < 0.4:
            return ast.Compare(node.comparators[0], [flipped()], [node.left])
        return node

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        self.generic_visit(node)
        if node.value is None or self.numbers.random() < 0.6:
            return [node]
        return [ast.Assign([ast.Name("result", ast.Store())], node.value), ast.Return(ast.Name("result", ast.Load()))]

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        self.generic_visit(node)
        part = next((each for each in ast.iter_child_nodes(node.value) if isinstance(each, ast.Call)), None)
        if part is None or self.numbers.random() < 0.5:
            return [node]

        class Replace(ast.NodeTransformer):
            def visit(self, inner: ast.AST) -> ast.AST:
                return ast.Name("part", ast.Load()) if inner is part else self.generic_visit(inner)

        Replace().visit(node)
        return [ast.Assign([ast.Name("part", ast.Store())], part), node]


def independent(homework: str, learners: int, seed: int = 0) -> dict[str, list[Cell]]:
    """A class whose learners wrote every answer themselves, each in one of the ways that the corpus knows."""
    numbers = random.Random(seed)
    styles = {task.partition(".")[2]: known for task, known in STYLES.items() if task.startswith(f"{homework}.")}
    assert len(styles) >= 8

    def write(task: str) -> Cell:
        tree = _Varied(numbers).visit(ast.parse(numbers.choice(styles[task])))
        return Cell(task, ast.unparse(ast.fix_missing_locations(tree)))

    return {f"learner {number}": [write(task) for task in styles] for number in range(learners)}


class _Renamed(ast.NodeTransformer):
    """Gives every variable and argument another name."""

    def __init__(self, tree: ast.AST) -> None:
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        names = sorted(stored | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)})
        self.names = {name: f"mine_{number}" for number, name in enumerate(names)}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self.names.get(node.arg, node.arg), None
        return node


def disguised(cells: list[Cell], seed: int = 1) -> list[Cell]:
    """A copy with other names, comments, docstrings, layout and order, in fewer cells."""
    numbers = random.Random(seed)
    sources = []
    for cell in cells:
        tree = ast.parse(cell.source)
        source = ast.unparse(_Renamed(tree).visit(tree)).replace(":\n    ", ":\n    # this is what I do\n    ", 1)
        sources.append(f'"""My own work."""\n\n\n{source}  # done')
    numbers.shuffle(sources)
    middle = len(sources) // 2
    return [Cell("cell 1", "\n".join(sources[:middle])), Cell("cell 2", "\n".join(sources[middle:]))]


@pytest.mark.parametrize("homework", AUTHORS)
def test_planted_copies_come_first(homework: str) -> None:
    submissions = independent(homework, 60)
    submissions["copy"] = disguised(submissions["learner 7"])
    first, *others = similar_pairs(submissions, author(homework))
    assert set(first.learners) == {"copy", "learner 7"} and min(first.shares) > 0.8
    assert all(pair.score < first.score / 1.5 for pair in others)
    passage = next(passage for passage in first.passages if len(passage.first_lines) > 3)
    assert max(passage.first_lines) <= len(passage.first.source.splitlines())


@pytest.mark.parametrize("homework", AUTHORS)
@pytest.mark.parametrize("seed", range(3))
def test_independent_right_answers_are_rarely_listed(homework: str, seed: int) -> None:
    """The corpus has four styles of each answer: by chance some of 1,770 pairs share most of theirs."""
    submissions = independent(homework, 60, seed)
    pairs = similar_pairs(submissions, author(homework))
    assert len(pairs) <= 10 and all(max(pair.shares) < 0.75 for pair in pairs)


def test_references_and_released_cells_do_not_count() -> None:
    solutions = [Cell("", cell.source, cell.cell_type == "code") for cell in AUTHORS["hw1"].cells]
    assert similar_pairs({"ada": solutions, "bo": solutions}, author("hw1"), 0) == []
    renamed = [Cell(cell.name, ast.unparse(_Renamed(ast.parse(cell.source)).visit(ast.parse(cell.source))))
               for cell in solutions if cell.is_code and "SOLUTION" not in cell.source]  # fmt: skip
    assert similar_pairs({"ada": renamed, "bo": renamed}, author("hw1"), 1) == []


def test_passages_of_many_learners_do_not_count() -> None:
    submissions = independent("hw1", 12)
    common = Cell("extra", STYLES["hw2.sinusoid"][0])
    for learner in list(submissions)[:8]:
        submissions[learner] = [*submissions[learner], common]
    alone = {learner: cells for learner, cells in submissions.items() if learner in list(submissions)[7:]}
    everybody = similar_pairs(submissions, author("hw1"), 0)
    assert not any(passage.first.name == "extra" for pair in everybody for passage in pair.passages)
    alone["learner 11"] = [*alone["learner 11"], common]
    [pair] = [
        each for each in similar_pairs(alone, author("hw1"), 0) if set(each.learners) == {"learner 7", "learner 11"}
    ]
    assert any(passage.first.name == "extra" for passage in pair.passages)


def test_a_copied_text_is_found() -> None:
    texts = {name: [Cell("why", f"{name} thinks that {index} vectors differ in {index * 7} ways of {name}", False)]
             for index, name in enumerate("ada bo cy dee".split())}  # fmt: skip
    copied = " ".join(f"word{number}" for number in range(90))
    texts["ada"].append(Cell("why", copied, False))
    texts["bo"].append(Cell("because", copied.upper().replace(" ", "\n", 20), False))
    [pair] = similar_pairs(texts, [])
    assert pair.learners == ("ada", "bo") and [passage.second.name for passage in pair.passages] == ["because"]


def test_tokens_do_not_depend_on_names_comments_and_layout() -> None:
    plain = "def f(table, ids):\n    rows = table[ids]\n    return rows.sum(dim=1)"
    other = 'import torch\ndef g(a: int, b) -> str:\n    """Mine."""\n    c = a[b]  # rows\n    return c.sum(dim=1)'
    assert [t.text for t in tokens(Cell("", plain))] == [t.text for t in tokens(Cell("", other))]
    assert [t.text for t in tokens(Cell("", plain))] != [t.text for t in tokens(Cell("", plain.replace("sum", "mean")))]
    assert [t.line for t in tokens(Cell("", other))][0] == 2
    assert tokens(Cell("", "%matplotlib inline\nx = 1"))[-1].text == "1"


@pytest.mark.parametrize(
    "source", ["(" * 5000, "x = " + "-" * 50_000 + "1", "1" + "+1" * 20_000, "def", "\0", "\ud800"]
)
def test_any_answer_can_be_compared(source: str) -> None:
    submissions = {"ada": [Cell("f", source)], "bo": [Cell("f", source)], "cy": [Cell("f", "y = 2")]}
    assert all(pair.learners == ("ada", "bo") for pair in similar_pairs(submissions, []))
    assert isinstance(tokens(Cell("f", source)), list)


def test_winnowing_finds_every_long_common_passage() -> None:
    """Two sequences that share SEQUENCE + WINDOW - 1 tokens share a fingerprint: they share a window of hashes."""
    numbers = random.Random(0)
    for _ in range(200):
        shared = [numbers.random() for _ in range(WINDOW)]
        picked = []
        for _ in range(2):
            around = [[numbers.random() for _ in range(numbers.randrange(9))] for _ in range(2)]
            hashes = [round(value * 2**32) for value in [*around[0], *shared, *around[1]]]
            chosen = winnow(hashes)
            assert all(set(chosen) & set(range(i, i + WINDOW)) for i in range(len(hashes) - WINDOW + 1))
            picked.append({hashes[index] for index in chosen})
        assert picked[0] & picked[1]
    assert winnow([]) == [] and winnow([3]) == [0]


def test_three_hundred_submissions_in_less_than_a_minute() -> None:
    submissions = independent("hw2", 300)
    submissions["copy"] = disguised(submissions["learner 7"])
    start = time.process_time()
    pairs = similar_pairs(submissions, author("hw2"))
    assert time.process_time() - start < 60
    assert set(pairs[0].learners) == {"copy", "learner 7"}


# The page.


def test_the_page_lists_pairs_and_marks_shared_lines(
    course: Course, release: NotebookNode, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "</pre><script>alert(1)</script>"
    lines = [f"    x{i} = [item * {i} + {i * i} for item in xs if item % {i + 2} == {i}]" for i in range(9)]
    source = "def total(xs):\n" + "\n".join(lines) + f"\n    y = {hostile!r}\n    return sum(xs)"
    for learner, answer in {"ada": source, "bo": source.replace("item", "thing"), "<i>cy</i>": "total = sum"}.items():
        hand_in(course.folder, learner, answered_small(release, total=answer))
    hand_in(course.folder, "dee", b"not a notebook")
    path, count = similar(course, SMALL)
    soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
    assert count == 1 and path.parent.stat().st_mode & 0o077 == 0
    assert not soup.find_all(["script", "i"]) and soup("h2")[0].get_text() == "ada and bo"
    left, right = soup.select(".sides pre")
    assert "item * 3" in left.get_text() and "thing * 3" in right.get_text() and len(left.find_all("mark")) >= 9
    assert hostile in left.get_text()
    text = " ".join(soup.get_text().split())
    assert "imilarity alone proves nothing" in text and "1 submissions could not be read" in text
    course.close()
    assert main(["similar", SMALL, "--at-least", "1000", "--course", str(course.folder)]) == 0
    assert capsys.readouterr().out == f"wrote {path}: 0 pairs\n"
    assert "No pair is listed" in Path(path).read_text("utf-8")
