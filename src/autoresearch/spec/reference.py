"""The reference of every key, as Markdown made from the schema.

`docs/reference/spec.md` holds this text between its two markers; a test compares them, so a key cannot go undocumented.
"""

import json
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autoresearch.domain.model import Bound
from autoresearch.spec.schema import Section, Spec
from autoresearch.spec.units import Span, bound_text, duration_text, size_text

BEGIN = "<!-- keys: begin, made by autoresearch.spec.reference -->"
END = "<!-- keys: end -->"


def refreshed(page: str) -> str:
    """`page` with the part between its markers made anew."""
    head, rest = page.split(BEGIN, 1)
    return f"{head}{BEGIN}\n\n{key_reference()}\n{END}{rest.split(END, 1)[1]}"


def key_reference() -> str:
    """One table of keys for each table of the spec."""
    return "\n".join(_table(name, field) for name, field in Spec.model_fields.items())


def _table(name: str, field: FieldInfo) -> str:
    section = section_of(field)
    head = f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]"
    rows = [
        f"| `{key}` | {_type(each)} | {_default(key, each)} | {_cell(each)} |"
        for key, each in section.model_fields.items()
    ]
    doc = " ".join((section.__doc__ or "").split())
    return "\n".join(
        [f"### `{head}`", "", doc, "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


def section_of(field: FieldInfo) -> type[Section]:
    """The class of keys that a field of `Spec` holds."""
    kinds = [field.annotation, *get_args(field.annotation)]
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))


def _cell(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


_PLAIN = {bool: "boolean", int: "whole number", float: "number", str: "string"}


def _type(field: FieldInfo) -> str:
    """The type in a user's words, read from the annotation and its validator."""
    validators = [getattr(each, "func", None) for each in field.metadata] + [
        getattr(each, "func", None) for part in get_args(field.annotation) for each in getattr(part, "__metadata__", ())
    ]
    for function in validators:
        if function is not None:
            return {"duration": "duration", "span": "duration", "size": "size", "bound": "bound"}[function.__name__]
    return _plain(field.annotation)


def _plain(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inner)
    if origin in (Union, UnionType):
        return _plain(next(each for each in inner if each is not type(None)))
    if origin is tuple:
        return "list of strings"
    if origin is dict:
        return "table of strings"
    if hasattr(kind, "__metadata__"):
        return _plain(kind.__origin__)
    if kind in _PLAIN:
        return _PLAIN[kind]
    return " or ".join(f"`{each.value}`" for each in kind)


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "—"
    if isinstance(value, Bound):
        return f"`{bound_text(value)}`"
    if isinstance(value, Span):
        return f"`{value}`"
    kind = _type(field)
    if kind == "size":
        return f"`{size_text(value)}`"
    if kind == "duration":
        return f"`{duration_text(value)}`"
    return f"`{json.dumps(value)}`" if not isinstance(value, BaseModel) else "—"
