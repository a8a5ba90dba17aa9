"""The constants of Python files: found with libcst, rewritten without touching a byte beside their values.

A constant is a name bound once, at module level, to a literal number, boolean or string of known choices. When a
file has EVOLVE-BLOCK markers, only the constants inside the blocks count. Seeds, paths, versions and the like are
left alone, and so is a line whose comment says "do not tune" or "fixed".
"""

import ast
import hashlib
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from autoresearch.adapters.researchers.files import editable_files
from autoresearch.adapters.researchers.numerals import evaluate, write
from autoresearch.domain.model import Scalar, Setting
from autoresearch.ports import Workspace

if TYPE_CHECKING:
    import libcst

MARK = "\ufeff"
"""The byte order mark that some editors put first."""
CACHED = 64
"""Parsed files kept, by content."""
LEFT_ALONE = re.compile(
    r"(?:^|_)(?:SEEDS?|VERSIONS?|PATHS?|DIRS?|DIRECTORY|FILES?|FILENAME|FOLDER|URL|HOST|PORT|DEBUG|VERBOSE|DEVICES?|"
    r"RANK|WORLD|BUDGET|DEADLINE|TIMEOUT|BYTES|VOCAB|PAD|EOS|BOS|UNK)(?:_|$)|RANDOM_STATE|^TIME_|^MAX_TIME|"
    r"(?:LOG|PRINT|SAVE|REPORT|CHECKPOINT|EVAL|VAL|VALID|TEST)_.*(?:EVERY|INTERVAL|FREQ|STEPS|ITERS|BATCHES|TOKENS)$"
)
FIXED = re.compile(r"do(?:n't| not) (?:tune|change|touch|edit)|not tuned|\bfixed\b|tune: *(?:no|off)", re.IGNORECASE)
BLOCK = re.compile(r"#\s*EVOLVE-BLOCK-(START|END)")
LISTED = re.compile(r"(?:one of|choices|options|either)\s*[:=]?\s*[\[({]?([^\])}.;]+)", re.IGNORECASE)
WORD = r"""(?:"[^"]*"|'[^']*'|[A-Za-z_][\w.-]*|[-+]?[\d.]+(?:[eE][-+]?\d+)?)"""
BARRED = re.compile(rf"{WORD}(?:\s*\|\s*{WORD})+")


class Kind(StrEnum):
    """What sort of value a constant has."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    CHOICE = "choice"
    """One of `Constant.choices`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant of one file."""

    file: str
    name: str
    value: Scalar
    kind: Kind
    choices: tuple[Scalar, ...] = ()
    comment: str = ""
    """What stands behind it on its line, without the hash."""

    @property
    def id(self) -> str:
        """The name under which its value is recorded: ``file.py:NAME``."""
        return f"{self.file}:{self.name}"


@dataclass(frozen=True, slots=True)
class _Spot:
    """A constant and where its value's text stands: offsets in the file's UTF-8 bytes."""

    constant: Constant
    start: int
    end: int


_cache: OrderedDict[tuple[str, bytes], tuple[_Spot, ...]] = OrderedDict()


def find(text: str, file: str) -> tuple[Constant, ...]:
    """The constants of a Python file's text, in order. A text that does not parse has none."""
    return tuple(spot.constant for spot in _spots(text, file))


def rewrite(text: str, values: Mapping[str, Scalar], file: str = "") -> str:
    """`text` with the named constants set; every other byte stays. Raises `KeyError` for any other name."""
    spots = _spots(text, file)
    unknown = set(values) - {spot.constant.name for spot in spots}
    if unknown:
        raise KeyError(f"no constant named {', '.join(sorted(unknown))} in {file or 'the text'}")
    raw, done, pieces, moved = text.encode(), 0, list[bytes](), list[_Spot]()
    length = 0
    for spot in spots:
        old = raw[spot.start : spot.end]
        new = old
        if spot.constant.name in values and not _same(values[spot.constant.name], spot.constant.value):
            new = write(values[spot.constant.name], old.decode()).encode()
        pieces += [raw[done : spot.start], new]
        length += spot.start - done + len(new)
        value = values.get(spot.constant.name, spot.constant.value)
        moved.append(_Spot(replace(spot.constant, value=value), length - len(new), length))
        done = spot.end
    result = b"".join([*pieces, raw[done:]]).decode()
    _remember(result, file, tuple(moved))
    return result


def constants(workspace: Workspace, editable: Sequence[str]) -> tuple[Constant, ...]:
    """The constants of the editable Python files of a workspace, by file and place."""
    paths = editable_files(workspace, editable, suffix=".py")
    return tuple(constant for path in paths for constant in find(workspace.read(path), path))


def settings(workspace: Workspace, editable: Sequence[str]) -> tuple[Setting, ...]:
    """What the constants of the editable Python files now are: the resolved values that a trial is recorded with."""
    return as_settings(constants(workspace, editable))


def as_settings(found: Sequence[Constant]) -> tuple[Setting, ...]:
    """Constants as recorded settings."""
    return tuple(Setting(name=constant.id, value=constant.value) for constant in found)


def _same(one: Scalar, other: Scalar) -> bool:
    return type(one) is type(other) and one == other


def _spots(text: str, file: str) -> tuple[_Spot, ...]:
    key = (file, hashlib.sha256(text.encode()).digest())
    if key in _cache:
        _cache.move_to_end(key)
        return _cache[key]
    return _remember(text, file, _search(text, file))


def _remember(text: str, file: str, spots: tuple[_Spot, ...]) -> tuple[_Spot, ...]:
    _cache[(file, hashlib.sha256(text.encode()).digest())] = spots
    while len(_cache) > CACHED:
        _cache.popitem(last=False)
    return spots


def _search(text: str, file: str) -> tuple[_Spot, ...]:
    import libcst
    from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

    try:
        plain = ast.parse(text.removeprefix(MARK))
        module = libcst.parse_module(text.removeprefix(MARK))
    except (SyntaxError, ValueError, RecursionError, libcst.ParserSyntaxError):
        return ()
    once = {name for name, count in _bindings(plain).items() if count == 1}
    asserted = dict(_asserted(plain))
    spans = MetadataWrapper(module, unsafe_skip_copy=True).resolve(ByteSpanPositionProvider)
    raw = text.encode()
    offset = len(raw) - len(text.removeprefix(MARK).encode())
    inside = _Inside(raw)
    found = []
    for name, annotation, value, comment in _assignments(module):
        start = spans[value].start + offset
        end = start + spans[value].length
        if name not in once or not inside(start) or LEFT_ALONE.search(name.upper()) or FIXED.search(comment):
            continue
        hinted = asserted.get(name) or _literals(annotation) or _listed(comment)
        source = raw[start:end].decode(errors="replace")
        constant = _constant(file, name, source, hinted, comment)
        if constant is not None and source in module.code_for_node(value):
            found.append(_Spot(constant, start, end))
    return tuple(found)


def _assignments(module: "libcst.Module") -> Iterator[tuple[str, str, "libcst.BaseExpression", str]]:
    """Name, annotation, value and comment of each plain assignment at module level."""
    import libcst

    for line in module.body:
        if not isinstance(line, libcst.SimpleStatementLine):
            continue
        note = line.trailing_whitespace.comment
        comment = note.value.lstrip("# ").strip() if note else ""
        for part in line.body:
            if isinstance(part, libcst.Assign) and len(part.targets) == 1:
                target, annotation = part.targets[0].target, ""
            elif isinstance(part, libcst.AnnAssign):
                target, annotation = part.target, module.code_for_node(part.annotation.annotation)
            else:
                continue
            if isinstance(target, libcst.Name) and part.value is not None and not target.value.startswith("__"):
                yield target.value, annotation, part.value, comment


def _constant(file: str, name: str, source: str, hinted: tuple[Scalar, ...], comment: str) -> Constant | None:
    value = evaluate(source)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return Constant(file=file, name=name, value=value, kind=Kind.BOOL, choices=(False, True), comment=comment)
    choices = tuple(dict.fromkeys(each for each in hinted if type(each) is type(value)))
    if value in choices and len(choices) > 1:
        return Constant(file=file, name=name, value=value, kind=Kind.CHOICE, choices=choices, comment=comment)
    if isinstance(value, str):
        return None
    kind = Kind.INT if isinstance(value, int) else Kind.FLOAT
    return Constant(file=file, name=name, value=value, kind=kind, comment=comment)


def _bindings(module: ast.Module) -> Counter[str]:
    """How often each module-level name is bound, in loops, by `global` and by `del` included."""
    count: Counter[str] = Counter()
    queue: list[ast.AST] = list(module.body)
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    while queue:
        node = queue.pop()
        if isinstance(node, scopes):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Global):
                    count.update(dict.fromkeys(inner.names, 2))
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            count[node.id] += 1
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            count[node.target.id] += 1
        queue.extend(ast.iter_child_nodes(node))
    return count


def _asserted(module: ast.Module) -> Iterator[tuple[str, tuple[Scalar, ...]]]:
    """Choices named by a module-level ``assert NAME in (...)``."""
    for node in module.body:
        match node:
            case ast.Assert(
                test=ast.Compare(
                    left=ast.Name(id=name), ops=[ast.In()], comparators=[ast.Tuple() | ast.List() | ast.Set() as many]
                )
            ):
                yield name, tuple(each.value for each in many.elts if _scalar(each))  # type: ignore[attr-defined]


def _scalar(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str)


def _literals(annotation: str) -> tuple[Scalar, ...]:
    """The alternatives of a ``Literal[...]`` annotation."""
    if "Literal[" not in annotation:
        return ()
    inner = ast.parse(annotation[annotation.index("Literal[") + 7 :].strip(), mode="eval").body
    nodes = inner.elts if isinstance(inner, ast.List) else []
    return tuple(each.value for each in nodes if _scalar(each))  # type: ignore[attr-defined]


def _listed(comment: str) -> tuple[Scalar, ...]:
    """The alternatives a comment names: ``one of: relu, gelu`` or ``"tanh" | "relu"``."""
    listed, barred = LISTED.search(comment), BARRED.search(comment)
    if listed:
        words = re.split(r"\s*(?:,|\||/|\bor\b|\band\b)\s*", listed[1])
    elif barred:
        words = barred[0].split("|")
    else:
        return ()
    bare = [word.strip().strip("'\"`") for word in words]
    values: list[Scalar] = []
    for word in bare:
        number = evaluate(word) if re.match(r"[-+.\d]", word) else None
        values.append(word if number is None else number)
    return tuple(value for value in values if value != "" and not re.search(r"\s", str(value)))


class _Inside:
    """Whether a byte offset lies in an EVOLVE block; always true in a file without markers."""

    def __init__(self, raw: bytes) -> None:
        self.spans: list[tuple[int, int]] = []
        self.marked = False
        start, offset = None, 0
        for line in raw.splitlines(keepends=True):
            marker = BLOCK.search(line.decode())
            if marker:
                self.marked = True
            if marker and marker[1] == "START":
                start = offset
            elif marker and start is not None:
                self.spans.append((start, offset))
                start = None
            offset += len(line)
        if start is not None:
            self.spans.append((start, offset))

    def __call__(self, offset: int) -> bool:
        return not self.marked or any(start <= offset < end for start, end in self.spans)


__all__ = ["Constant", "Kind", "as_settings", "constants", "find", "rewrite", "settings"]
