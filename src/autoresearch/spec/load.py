"""Reading a spec: from a file to a `Spec`, or to a `SpecError` that names file, line, key, fault and remedy.

Every error of a file is told at once, in the order of its lines.
"""

import difflib
import os
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autoresearch.domain.errors import SpecError
from autoresearch.spec import locate
from autoresearch.spec.checks import Problem, choice, problems
from autoresearch.spec.schema import Spec

FILE = "autoresearch.toml"
LARGEST = 1 << 20
"""Bytes; a larger file is no spec."""

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def load_spec(path: Path) -> Spec:
    """The spec in the file `path`. Raises `SpecError` with everything that is wrong in it."""
    if path.is_dir():
        path = path / FILE
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise SpecError(f"{path}:1: there is no such file. Run `autoresearch init` to make one.") from error
    except OSError as error:
        raise SpecError(f"{path}:1: the file cannot be read: {error.strerror}.") from error
    if len(raw) > LARGEST:
        raise SpecError(f"{path}:1: the file is larger than 1 MiB, which no spec is. Is it the right file?")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError(f"{path}:{line}: the file is not UTF-8 text. Save it as UTF-8.") from error
    return parse_spec(text, _shown(path))


def parse_spec(text: str, file: str = FILE) -> Spec:
    """The spec in `text`; `file` is what messages call it. Raises `SpecError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(_syntax(error, text, file)) from error
    except RecursionError as error:
        raise SpecError(f"{file}:1: values are nested too deeply. A spec needs at most two levels.") from error
    found = locate.lines(text)
    try:
        spec = Spec.model_validate(document).with_source(text, file)
    except ValidationError as error:
        raise SpecError(_told([_problem(each) for each in error.errors()], found, file)) from error
    if wrong := list(problems(spec)):
        raise SpecError(_told(wrong, found, file))
    return spec


def error_at(spec: Spec, key: str, message: str) -> SpecError:
    """A `SpecError` about the key ``"section.key"`` of a spec already read: for faults found later."""
    path = tuple(key.split("."))
    return SpecError(_told([Problem(path=path, text=message)], locate.lines(spec.text), spec.file))


def program_text(spec: Spec, directory: Path) -> str:
    """The program file's text; empty if none is there and none was named. Raises `SpecError` for a named one."""
    try:
        return (directory / spec.study.program).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if "program" not in spec.study.model_fields_set:
            return ""
        message = f"there is no file {spec.study.program!r}. Write it, or leave the key out."
        raise error_at(spec, "study.program", message) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"{spec.study.program!r} cannot be read as UTF-8 text: {error}."
        raise error_at(spec, "study.program", message) from error


def _shown(path: Path) -> str:
    """The path as the user would write it: relative where it lies below the working directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _syntax(error: tomllib.TOMLDecodeError, text: str, file: str) -> str:
    message = str(error)
    where = _AT.search(message)
    line = int(where[1]) if where and where[1] else text.count("\n") + 1
    return f"{file}:{line}: this is not TOML: {_AT.sub('', message)}. Strings need quotes; see https://toml.io."


def _told(wrong: Sequence[Problem], found: Mapping[locate.Path, int], file: str) -> str:
    """All problems, one to a line, in the order of the file."""
    placed = sorted({(locate.line_of(found, each.path), each.key, each.text) for each in wrong})
    return "\n".join(f"{file}:{line}: {key}: {text}" for line, key, text in placed)


def _problem(error: ErrorDetails) -> Problem:
    """One of pydantic's errors in plain words."""
    path: locate.Path = tuple(error["loc"])
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            text = _unknown(path)
        case "missing":
            text = "is missing. " + _example(path)
        case "value_error":
            text = f"{context['error']}."
        case "literal_error" | "enum":
            text = choice(given, re.findall(r"'([^']*)'", str(context["expected"])))
        case "string_pattern_mismatch":
            text = _pattern(path, given)
        case "tuple_type" if len(path) == 1:
            text = f"a list of tables is wanted: write its name in double brackets, [[{path[0]}]]."
        case "tuple_type":
            text = _list(given)
        case _ if kind in _WANTED:
            text = f"{given!r} does not fit: {_WANTED[kind].format(**context)}."
        case _:
            text = f"{given!r} does not fit: {error['msg'][0].lower()}{error['msg'][1:]}."
    return Problem(path=path, text=text)


_WANTED = {
    "string_type": "a string in quotes is wanted",
    "int_type": "a whole number is wanted, without quotes",
    "float_type": "a number is wanted, without quotes",
    "bool_type": "true or false is wanted, without quotes",
    "finite_number": "a finite number is wanted",
    "greater_than": "it must be above {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
    "model_type": "a table is wanted, written once, with its name in single brackets",
    "dict_type": 'a table is wanted, as {{ NAME = "value" }}',
}
"""What pydantic's other errors mean, with the bounds they report."""


def _section(path: locate.Path) -> type[BaseModel] | None:
    """The class of keys in which the last part of `path` stands."""
    kind: Any = Spec
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        field = kind.model_fields.get(part)
        kinds = [each for each in _inside(field.annotation) if issubclass(each, BaseModel)] if field else []
        if not kinds:
            return None
        kind = kinds[0]
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _inside(annotation: Any) -> list[type]:
    """The classes in an annotation such as ``tuple[X, ...]`` or ``X | None``."""
    inner = getattr(annotation, "__args__", ())
    return (
        [annotation]
        if isinstance(annotation, type) and not inner
        else [kind for each in inner for kind in _inside(each)]
    )


def _unknown(path: locate.Path) -> str:
    """What to say of a key that does not exist: the nearest one here, or the section where it belongs."""
    name = str(path[-1])
    here = _section(path)
    known = sorted(here.model_fields) if here else []
    what = "table" if len(path) == 1 else "key"
    if near := difflib.get_close_matches(name, known, n=1, cutoff=0.6):
        return f"unknown {what}. Did you mean {near[0]!r}?"
    elsewhere = [key for key in all_keys() if key.rpartition(".")[2] == name]
    if elsewhere and len(path) < 4:
        return f"unknown {what}. Did you mean {' or '.join(repr(key) for key in elsewhere)}?"
    return f"unknown {what}. Known here: {', '.join(known)}."


def all_keys() -> tuple[str, ...]:
    """Every key of the schema as ``section.key``, in the order of the schema."""
    keys = []
    for name, field in Spec.model_fields.items():
        section = next(kind for kind in _inside(field.annotation) if issubclass(kind, BaseModel))
        keys += [f"{name}.{key}" for key in section.model_fields]
    return tuple(keys)


def _example(path: locate.Path) -> str:
    if len(path) == 1:
        return f"Add a table [{path[0]}]; `autoresearch init` writes a complete file."
    examples = {
        "name": 'name = "tinylm"',
        "editable": 'editable = ["train.py"]',
        "command": 'command = ["python", "train.py"]',
        "budget": 'budget = "60s"',
        "direction": 'direction = "minimize"',
        "metric": 'metric = "peak_memory_mb"',
    }
    return f"Write, for example, {examples[str(path[-1])]}"


def _pattern(path: locate.Path, given: object) -> str:
    if path[-2:] == ("metric", "name") or path[-1] == "metric":
        return f"{given!r} is no name of a metric. Use letters, digits and _ . - / % without spaces."
    return (
        f"{given!r} cannot name a branch and a directory. Use letters, digits, '.', '_' and '-', "
        "beginning with a letter or digit, at most 64."
    )


def _list(given: object) -> str:
    if not isinstance(given, str):
        return f"{given!r} is not a list of strings."
    try:
        words = shlex.split(given)
    except ValueError:
        words = [given]
    return f"a list of strings is wanted, not one string. Write {_toml_list(words)}."


def _toml_list(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
