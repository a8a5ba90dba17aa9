"""Top-level constants of Python files, seen line by line.

Only a whole line ``NAME = literal`` counts; what it means to change one is decided by its value, never by its comment.
"""

import ast
import re
import warnings
from functools import lru_cache
from typing import NamedTuple

LINE = re.compile(rb"[A-Za-z_]\w*[ \t]*(?::[^=\n]*)?=(?!=)")
LITERAL = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.operator, ast.unaryop,
           ast.expr_context)  # fmt: skip
LONGEST_LINE = 2_000
LONGEST_FILE = 1 << 20


class Constant(NamedTuple):
    """What a line ``NAME: kind = value`` says; `source` is the value as it is written."""

    name: str
    kind: str
    value: str
    source: str


@lru_cache(maxsize=4096)
def constant(line: bytes) -> Constant | None:
    """The constant that a line sets, None for any other line."""
    if len(line) > LONGEST_LINE or not LINE.match(line):
        return None
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    tree = parsed(text)
    if tree is None or len(tree.body) != 1:
        return None
    target: ast.expr
    value: ast.expr | None
    match tree.body[0]:
        case ast.AnnAssign(target=target, annotation=annotation, value=value):
            kind = ast.unparse(annotation)
        case ast.Assign(targets=[target], value=value):
            kind = ""
        case _:
            return None
    if not isinstance(target, ast.Name) or value is None:
        return None
    if not all(isinstance(part, LITERAL) for part in ast.walk(value)):
        return None
    return Constant(target.id, kind, ast.dump(value), ast.get_source_segment(text, value) or ast.unparse(value))


def parsed(source: str | bytes) -> ast.Module | None:
    """The syntax tree, None when it is no Python (or more than a mebibyte of it)."""
    if len(source) > LONGEST_FILE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
