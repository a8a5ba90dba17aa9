"""Values as bytes for a column, and back: canonical JSON, compressed when long.

The same value always gives the same canonical bytes; hashes are taken of those, never of the compressed form.
"""

import json
import zlib
from typing import Any

from autoresearch.domain.errors import CorruptRecord

LONG = 512
"""Bytes of JSON above which a column is compressed."""

_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True, check_circular=False).encode


def canonical(value: Any) -> bytes:
    """JSON values as ASCII bytes: sorted keys, no spaces."""
    return _encode(value).encode()


def pack(plain: bytes) -> bytes:
    """What is stored for canonical bytes. JSON begins with ``{``, a zlib stream with ``x``."""
    return zlib.compress(plain) if len(plain) > LONG else plain


def unpack(stored: object) -> bytes:
    """The canonical bytes again. Raises `CorruptRecord`."""
    if not isinstance(stored, bytes):
        raise CorruptRecord(f"a column of the ledger holds {type(stored).__name__} where bytes belong")
    if stored[:1] != b"x":
        return stored
    try:
        return zlib.decompress(stored)
    except zlib.error as error:
        raise CorruptRecord(f"a compressed column of the ledger does not unpack ({error})") from error


def parse(stored: object) -> dict[str, Any]:
    """The JSON object in a column. Raises `CorruptRecord`."""
    try:
        value = json.loads(unpack(stored).decode())
    except ValueError as error:
        raise CorruptRecord(f"a column of the ledger holds no JSON ({error})") from error
    if not isinstance(value, dict):
        raise CorruptRecord("a column of the ledger holds JSON that is no object")
    return value
