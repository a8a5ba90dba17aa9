"""Literals, read without running code and written as people write them.

Reading a written value gives the same value again, bit for bit.
"""

import ast
import math
import operator
from decimal import Decimal

from autoresearch.domain.model import Scalar

LARGEST = 2.0**63
Number = int | float
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def evaluate(source: str) -> Scalar | None:
    """The value of a literal or of simple arithmetic on number literals; None for anything else."""
    try:
        return _value(ast.parse(source.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError):
        return None


def _value(node: ast.expr) -> Scalar | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, bool | int | float | str) and _small(node.value) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(node.operand)
        return None if inner is None else -inner if isinstance(node.op, ast.USub) else inner
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _number(node.left), _number(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Pow):
        return _small_or_none(left**right) if (abs(left) <= 1000 and abs(right) <= 18) or left == 2 else None
    action = _ARITHMETIC.get(type(node.op))
    return None if action is None else _small_or_none(action(left, right))


def _number(node: ast.expr) -> Number | None:
    value = _value(node)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _small(value: Scalar) -> bool:
    return isinstance(value, str) or (math.isfinite(value) and abs(value) <= LARGEST)


def _small_or_none(value: Number | complex) -> Number | None:
    return value if isinstance(value, int | float) and _small(value) else None


def write(value: Scalar, like: str = "") -> str:
    """`value` as Python source: 3e-4, 0.05, 128; quotes, underscores, products and powers of two as in `like`."""
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, str):
        return _text(value, like)
    if isinstance(value, float):
        return _float(value)
    return _integer(value, like)


def _text(value: str, like: str) -> str:
    plain = repr(value)
    if like.startswith('"') and '"' not in value and "\\" not in plain:
        return f'"{value}"'
    return plain


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} has no literal: give a finite number")
    if value == 0:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    power = exponent + len(digits) - 1
    if -3 <= power < 6:
        return repr(value)
    figures = "".join(map(str, digits))
    mantissa = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{power}"


def _integer(value: int, like: str) -> str:
    head, star, factor = like.rpartition("*")
    if star and head.endswith("*") and head[:-1].strip() == "2" and value > 0 and value & (value - 1) == 0:
        return f"{head}*{factor[: len(factor) - len(factor.lstrip())]}{value.bit_length() - 1}"
    if star and not head.endswith("*") and factor.strip().isdigit() and head.strip().isdigit():
        unit = int(factor)
        if unit > 1 and value % unit == 0:
            spaces = head[len(head.rstrip()) :]
            return f"{value // unit}{spaces}*{factor}"
    return f"{value:_}" if "_" in like else str(value)
