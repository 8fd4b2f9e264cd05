"""Mutation testing of answers: small changes to the source of a function, each of which its check must notice.

The operators are the usual ones (Offutt et al. 1996) and those that array code invites: shifted slices, exchanged axes,
an argument or a result that is always that of the first call. A mutant that behaves as the original is *equivalent*; no
program finds those out, so they are listed by hand, each with its reason.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
# Why a mutant is equivalent, where several answers have the same reason.
SYMMETRIC = "the order of the two plays no part"
DEFAULT = "that is the default"
TWO_AXES = "the same axis of a matrix or a vector"
FORM = "another dtype or container of the same values is accepted"

_Path = tuple[tuple[str, int | None], ...]
_SHORT = 12  # characters: a shorter piece of source is told with what stands around it
_ORDERED = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult)  # operators whose operands have an order


@dataclass(frozen=True)
class Result:
    """What became of the mutants of one answer.

    Attributes:
        total: mutants without the equivalent ones.
        survived: changes that were accepted and are not listed as equivalent.
        unknown: listed changes that no mutant has, or that were rejected.
    """

    total: int
    survived: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def rate(self) -> float:
        return 1 - len(self.survived) / max(1, self.total)


def run(source: str, function: str, reject: Callable[[str], str], equivalent: Collection[str] = ()) -> Result:
    """Give every mutant to ``reject``, which returns why a source is wrong and an empty string if it is right."""
    changes = mutants(source, function)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accepted = [mutant.change for mutant in changes if not reject(mutant.source)]
    survived = tuple(change for change in accepted if change not in equivalent)
    return Result(
        len(changes) - len(accepted) + len(survived),
        survived,
        tuple(each for each in equivalent if each not in accepted),
    )


@dataclass(frozen=True)
class Mutant:
    """A changed source, and the change as ``before → after``."""

    change: str
    source: str


def mutants(source: str, function: str) -> list[Mutant]:
    """Every mutant of a function that a source defines at its top level; none occurs twice.

    Raises:
        ValueError: the source does not define the function.
    """
    tree = ast.parse(source)
    places = [i for i, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef) and node.name == function]
    if not places:
        raise ValueError(f"the source defines no function {function!r}")
    found: dict[str, Mutant] = {}
    original = ast.unparse(tree)
    for change, body in _changed(tree.body[places[-1]]):
        mutated = ast.Module([*tree.body[: places[-1]], *body, *tree.body[places[-1] + 1 :]], [])
        text = ast.unparse(ast.fix_missing_locations(mutated))
        if text != original and text not in found:
            found[text] = Mutant(change, text)
    return _numbered(list(found.values()))


def _numbered(found: list[Mutant]) -> list[Mutant]:
    """The same, with changes that read alike numbered: ``1 → 2``, ``1 → 2 (2)``."""
    counts: dict[str, int] = {}
    result = []
    for mutant in found:
        counts[mutant.change] = counts.get(mutant.change, 0) + 1
        number = f" ({counts[mutant.change]})" if counts[mutant.change] > 1 else ""
        result.append(Mutant(mutant.change + number, mutant.source))
    return result


def _changed(function: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    """What was changed, and the statements that stand for the function then."""
    assert isinstance(function, ast.FunctionDef)
    yield from _calls(function)
    for path, node in _walk(function, ()):
        for before, after, replacement in _replacements(node):
            changed = copy.deepcopy(function)
            _replace(changed, path, replacement)
            around = _around(function, path) if len(before) < _SHORT else None
            yield f"{before} → {after}" + (f" in {_text(around)}" if around else ""), [changed]


def _around(function: ast.AST, path: _Path) -> ast.AST | None:
    """The innermost expression or statement around a node that is long enough to be told from others."""
    node, around = function, None
    for name, place in path[:-1]:
        node = getattr(node, name) if place is None else getattr(node, name)[place]
        if isinstance(node, ast.expr | ast.Return | ast.Assign | ast.AugAssign) and len(_text(node)) >= _SHORT:
            around = node
    return around


def _calls(function: ast.FunctionDef) -> Iterator[tuple[str, list[ast.stmt]]]:
    """The function called with other arguments than it was given, or not at all after the first call."""
    inner = copy.deepcopy(function)
    inner.name = "_original"
    names = [argument.arg for argument in function.args.args]

    def wrapped(body: str) -> list[ast.stmt]:
        head = f"_first = {{}}\ndef {function.name}({', '.join(names)}):\n    return {body}"
        return [inner, *ast.parse(head).body]

    given = ", ".join(names)
    yield "result → that of the first call", wrapped(f"_first.setdefault('result', _original({given}))")
    for name in names:
        fixed = ", ".join(f"_first.setdefault({each!r}, {each})" if each == name else each for each in names)
        yield f"{name} → that of the first call", wrapped(f"_original({fixed})")
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            order = [*names]
            order[i], order[j] = order[j], order[i]
            yield f"{names[i]}, {names[j]} → {names[j]}, {names[i]}", wrapped(f"_original({', '.join(order)})")


def _walk(node: ast.AST, path: _Path) -> Iterator[tuple[_Path, ast.AST]]:
    """Every node below, with the fields that lead to it."""
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.keyword) and node.arg == "strict":
            continue
        if name in ("args", "decorator_list", "returns") and isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.JoinedStr):  # the wording of a message is free
            continue
        items = enumerate(value) if isinstance(value, list) else [(None, value)]
        for place, child in items:
            is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if isinstance(child, ast.AST) and not is_docstring:
                here = (*path, (name, place))
                yield here, child
                yield from _walk(child, here)


def _replace(root: ast.AST, path: _Path, replacement: ast.AST) -> None:
    node = root
    for name, place in path[:-1]:
        node = getattr(node, name) if place is None else getattr(node, name)[place]
    name, place = path[-1]
    if place is None:
        setattr(node, name, replacement)
    else:
        getattr(node, name)[place] = replacement


def _replacements(node: ast.AST) -> Iterator[tuple[str, str, ast.AST]]:
    """Before, after, and the node that stands for this one in the mutant."""
    if isinstance(node, ast.stmt):
        yield from _statements(node)
        return
    if not isinstance(node, ast.expr | ast.comprehension):
        return
    for changed in _expressions(node):
        yield _text(node), _text(changed), changed


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _statements(node: ast.stmt) -> Iterator[tuple[str, str, ast.AST]]:
    head = _text(node).split(":")[0] if isinstance(node, ast.If | ast.For | ast.While) else _text(node)
    if not isinstance(node, ast.FunctionDef | ast.Pass):
        yield head, "pass", ast.Pass()
    if isinstance(node, ast.AugAssign):
        for other in _OPERATORS.get(type(node.op), ()):
            changed = _with(node, op=other())
            yield _text(node), _text(changed), changed
    if isinstance(node, ast.If):
        for value in (True, False):
            yield _text(node.test), str(value), _with(node, test=ast.Constant(value))
    if isinstance(node, ast.For):
        for part in ("[:1]", "[1:]"):
            yield head, f"… in list({_text(node.iter)}){part}", _with(node, iter=_part(node.iter, part))


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _part(items: ast.expr, part: str) -> ast.expr:
    return ast.parse(f"list({ast.unparse(items)}){part}", mode="eval").body


def _expressions(node: ast.expr | ast.comprehension) -> Iterator[ast.AST]:
    """What may stand instead of an expression."""
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in _COMPARISONS.get(type(operator), ()):
                yield _with(node, ops=[*node.ops[:place], other(), *node.ops[place + 1 :]])
    elif isinstance(node, ast.BinOp):
        yield from (_with(node, op=other()) for other in _OPERATORS.get(type(node.op), ()))
        if isinstance(node.op, _ORDERED):
            yield _with(node, left=node.right, right=node.left)
        yield from (node.left, node.right)
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
        yield from node.values
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.Subscript):
        yield from _subscript(node)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    elif isinstance(node, ast.List | ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield _with(node, elts=[node.elts[1], node.elts[0], *node.elts[2:]])
    elif isinstance(node, ast.comprehension):
        yield from (_with(node, ifs=[*node.ifs[:i], *node.ifs[i + 1 :]]) for i in range(len(node.ifs)))
        yield from (_with(node, iter=_part(node.iter, part)) for part in ("[:1]", "[1:]"))


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, str) and value:
        yield ast.Constant(value + "?")


def _call(node: ast.Call) -> Iterator[ast.AST]:
    """A call with two arguments exchanged, without one of them, and what is there without the call."""
    if len(node.args) > 1:
        if _text(node.func).split(".")[-1] not in _SYMMETRIC:
            yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
        yield _with(node, args=node.args[:-1])
    for i, keyword in enumerate(node.keywords):
        if keyword.arg != "strict":  # a guard of the author's
            yield _with(node, keywords=[*node.keywords[:i], *node.keywords[i + 1 :]])
    # A method is replaced by its object, a function by its first argument.
    is_method = isinstance(node.func, ast.Attribute) and not (
        isinstance(node.func.value, ast.Name | ast.Attribute) and _text(node.func.value).split(".")[0] in _MODULES
    )
    if isinstance(node.func, ast.Attribute) and is_method:
        if node.func.attr not in _FORM:
            yield node.func.value
    elif node.args and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
        yield node.args[0]


_MODULES = ("torch", "F", "math", "np", "nn")
_SYMMETRIC = ("allclose", "isclose", "equal", "max", "min")
_FORM = ("item", "tolist")  # change the form of a value, which plays no part


def _subscript(node: ast.Subscript) -> Iterator[ast.AST]:
    if isinstance(node.ctx, ast.Load):
        yield node.value
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for place, part in enumerate(parts):
        for changed in _slices(part) if isinstance(part, ast.Slice) else ():
            elements = [*parts[:place], changed, *parts[place + 1 :]]
            yield _with(node, slice=ast.Tuple(elements, ast.Load()) if len(elements) > 1 else changed)
    if isinstance(node.slice, ast.Tuple) and len(parts) > 1:
        exchanged = [*parts[:-2], parts[-1], parts[-2]]
        yield _with(node, slice=ast.Tuple(exchanged, ast.Load()))


def _slices(node: ast.Slice) -> Iterator[ast.Slice]:
    """A slice with its ends moved by one, or without its step."""
    one = ast.Constant(1)
    if node.lower is None and node.upper is None and node.step is None:
        return  # all of an axis
    lower = one if node.lower is None else ast.BinOp(node.lower, ast.Add(), one)
    yield ast.Slice(lower, node.upper, node.step)
    if node.upper is not None:
        yield ast.Slice(node.lower, ast.BinOp(node.upper, ast.Sub(), one), node.step)
        yield ast.Slice(node.lower, ast.BinOp(node.upper, ast.Add(), one), node.step)
    elif node.step is None or node.lower is not None:
        yield ast.Slice(node.lower, ast.UnaryOp(ast.USub(), one), node.step)
    if node.step is not None:
        yield ast.Slice(node.lower, node.upper, None)
