"""Events and the data inside them as plain JSON values, and back.

The classes' own annotations are the schema: an unknown field or event is an error, a missing one takes its default.
"""

import dataclasses
import types
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from autoresearch.domain.errors import CorruptRecord
from autoresearch.domain.events import Event

Reader = Callable[[Any], Any]


def dump(value: Any) -> Any:
    """`value` as JSON values; a dataclass leaves out the fields that hold their default."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    return _writer(kind)(value)


def load_event(kind: str, payload: dict[str, Any]) -> Event:
    """The event called `kind`. Raises `CorruptRecord` for one this version does not know."""
    known = Event.names.get(kind)
    if known is None:
        raise CorruptRecord(f"the record holds an event {kind!r} that this version does not know; upgrade autoresearch")
    event: Event = load(known, payload)
    return event


def load(kind: Any, value: Any) -> Any:
    """`value` (JSON values) read as the annotation `kind`. Raises `CorruptRecord` where it does not fit."""
    return _reader(kind)(value)


_PLAIN = frozenset((str, int, float, bool, type(None)))


@cache
def _writer(kind: Any) -> Callable[[Any], Any]:
    """How values of a class are dumped."""
    if dataclasses.is_dataclass(kind):
        fields = _fields(cast(Any, kind))
        return lambda value: {name: dump(item) for name, default in fields if (item := getattr(value, name)) != default}
    if issubclass(kind, Enum):
        return _value_of
    if issubclass(kind, tuple | list):
        return lambda value: [dump(item) for item in value]
    if issubclass(kind, dict):
        return lambda value: {key: dump(item) for key, item in value.items()}
    return lambda value: value


def _value_of(value: Enum) -> Any:
    return value.value


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any], ...]:
    def default(field: "dataclasses.Field[Any]") -> Any:
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        return field.default

    return tuple((field.name, default(field)) for field in dataclasses.fields(kind))


@cache
def _reader(kind: Any) -> Reader:
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda value: tuple(map(item, value)) if arguments[-1] is Ellipsis else _fixed(arguments, value)
    if origin is dict:
        inner = _reader(arguments[1])
        return lambda value: {key: inner(each) for key, each in value.items()}
    if origin in (Union, types.UnionType):
        return _optional_reader(arguments)
    if kind is float:
        return float
    return lambda value: value


def _fixed(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return tuple(load(kind, item) for kind, item in zip(arguments, value, strict=True))


def _optional_reader(arguments: tuple[Any, ...]) -> Reader:
    """`X | None`, or a union of plain JSON types, which are left as they are."""
    inner = [kind for kind in arguments if kind is not type(None)]
    if len(inner) != 1:
        return lambda value: value
    reader = _reader(inner[0])
    return lambda value: None if value is None else reader(value)


def _dataclass_reader(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}

    def read(value: Any) -> Any:
        try:
            return kind(**{name: readers[name](item) for name, item in value.items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptRecord(f"the record holds a {kind.__name__} that does not read: {error!r}") from error

    return read
