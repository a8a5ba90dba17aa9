"""Small syntax edits of Python text: every place where one can be made, and what it could become.

An edit replaces a span of UTF-8 bytes; it is made lazily, so listing the places of a file costs one parse.
"""

import ast
import copy
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from autoresearch.adapters.researchers.numerals import evaluate, write

Bodied = ast.FunctionDef | ast.AsyncFunctionDef
NUMERAL = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
CALLS = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "argmin": "argmax", "argmax": "argmin",
         "sum": "mean", "mean": "sum", "zeros": "ones", "ones": "zeros", "sin": "cos", "cos": "sin", "tanh": "sin",
         "floor": "ceil", "ceil": "floor", "any": "all", "all": "any"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace bytes `start` to `end` by what `make` draws."""

    kind: str
    line: int
    start: int
    end: int
    make: Callable[[random.Random, str], str]


def edits(text: str) -> tuple[Edit, ...]:
    """Every place inside the functions of a Python text. Raises `SyntaxError` for a text that does not parse."""
    module = ast.parse(text)
    place = _Places(text)
    found: list[Edit] = []
    seen: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, Bodied):
            for body in _bodies(node):
                found += _statement_edits(body, place, seen)
            seen.update(id(inner) for text_node in ast.walk(node) for inner in _unplaced(text_node))
            for inner in ast.walk(node):
                if id(inner) not in seen:
                    seen.add(id(inner))
                    found += _expression_edits(inner, place)
    return tuple(found)


def apply(text: str, edit: Edit, rng: random.Random) -> str:
    """`text` with the edit made."""
    raw = text.encode()
    old = raw[edit.start : edit.end].decode()
    return (raw[: edit.start] + edit.make(rng, old).encode() + raw[edit.end :]).decode()


def jitter(rng: random.Random, number: str) -> str:
    """A number near the one written, of the same sort."""
    value = evaluate(number)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return number
    if isinstance(value, int):
        near = (value - 1, value + 1, value * 2, value // 2)
        return write(rng.choice([each for each in near if each != value and (each >= 0 or value < 0)]), number)
    factor = 2.0 ** rng.uniform(-1.5, 1.5)
    return write(float(f"{value * factor:.2g}") if value else 10.0 ** rng.randint(-4, -1), number)


class _Places:
    """Turns a node's line and column into byte offsets."""

    def __init__(self, text: str) -> None:
        self.starts = [0]
        for line in re.findall(r"[^\r\n]*(?:\r\n|\r|\n|$)", text)[:-1]:
            self.starts.append(self.starts[-1] + len(line.encode()))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for inner in ast.walk(node):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(inner, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _unplaced(node: ast.AST) -> Iterator[ast.AST]:
    """What stands inside an f-string: before Python 3.12 its positions are not those of the file."""
    return ast.walk(node) if isinstance(node, ast.JoinedStr) else iter(())


def _statement_edits(body: list[ast.stmt], place: _Places, seen: set[int]) -> Iterator[Edit]:
    """Deletion, repetition and swapping of the simple statements of one body."""
    if id(body[0]) in seen:
        return
    plain = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)
    for here, then in zip(body, [*body[1:], None], strict=True):
        if not isinstance(here, plain) or _is_text(here):
            continue
        start, end = place.span(here)
        yield Edit("delete statement", here.lineno, start, end, _constantly("pass"))
        if here.lineno == here.end_lineno:
            yield Edit("repeat statement", here.lineno, start, end, lambda _, old: f"{old}; {old}")
        if isinstance(then, plain) and then.lineno > (here.end_lineno or 0):
            after = place.span(then)
            yield Edit("swap statements", here.lineno, start, after[1], _swapped(end - start, after[0] - start))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _swapped(first: int, second: int) -> Callable[[random.Random, str], str]:
    def make(_: random.Random, old: str) -> str:
        raw = old.encode()
        return (raw[second:] + raw[first:second] + raw[:first]).decode()

    return make


def _constantly(new: str) -> Callable[[random.Random, str], str]:
    return lambda rng, old: new


def _expression_edits(node: ast.AST, place: _Places) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | bytes):
        yield from _literal_edits(node, place)
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.Compare):
        operators: Sequence[ast.AST] = node.ops if isinstance(node, ast.Compare) else [node.op]
        for index, each in enumerate(operators):
            for other in SWAPS.get(type(each), ()):
                name = f"{type(each).__name__} → {other.__name__}"
                yield Edit(name, node.lineno, *place.span(node), _unparsed(_with_operator(node, index, other)))
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in CALLS:
            end = place.span(node.func)[1]
            start = end - len(name.encode())
            yield Edit(f"{name} → {CALLS[name]}", node.lineno, start, end, _constantly(CALLS[name]))
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        yield Edit("negate condition", node.lineno, *place.span(node.test), lambda _, old: f"(not ({old}))")


def _literal_edits(node: ast.Constant, place: _Places) -> Iterator[Edit]:
    if isinstance(node.value, bool):
        yield Edit(
            f"{node.value} → {not node.value}", node.lineno, *place.span(node), _constantly(repr(not node.value))
        )
    elif isinstance(node.value, int | float):
        yield Edit("number", node.lineno, *place.span(node), jitter)


def _with_operator(node: ast.BinOp | ast.BoolOp | ast.Compare, index: int, other: type[ast.AST]) -> ast.expr:
    changed = copy.copy(node)
    if isinstance(changed, ast.Compare):
        changed.ops = [*changed.ops[:index], other(), *changed.ops[index + 1 :]]  # type: ignore[list-item]
    else:
        changed.op = other()  # type: ignore[assignment]
    return changed


def _unparsed(node: ast.expr) -> Callable[[random.Random, str], str]:
    return lambda rng, old: f"({ast.unparse(node)})"


__all__ = ["NUMERAL", "Edit", "apply", "edits", "jitter"]
