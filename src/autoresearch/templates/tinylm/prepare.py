"""The text: the standard library's own sources, cut into training, validation and holdout.

The rule: the cut goes by module and never depends on a run. The modules of `HELD_OUT` are excluded from training by
name, and the `hidden` list of autoresearch.toml masks the same files in every sandbox in which code under trial runs:
there they are empty. Only the scorer calls `held_out`. Nothing is downloaded and nothing is stored; the text is read
where Python is installed, so two Python versions give slightly different texts, and `digest` tells them apart.

By hand: `python prepare.py` prints the sizes and hashes.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

LIBRARY = Path(os.__file__).parent

# Modules that no run imports, not even indirectly, and that share no passages with others. The list `hidden` in
# autoresearch.toml names the same files.
VALIDATION = (
    "mailbox.py", "poplib.py", "smtplib.py", "trace.py",
    "wsgiref/handlers.py", "wsgiref/validate.py", "xmlrpc/client.py",
)  # fmt: skip
HOLDOUT = ("ftplib.py", "imaplib.py", "modulefinder.py", "tabnanny.py", "turtle.py", "zipapp.py")
HELD_OUT = VALIDATION + HOLDOUT

# Folders and files left out of training: what quotes the held-out modules (tests, topics, demos, nntplib), tables
# rather than text (encodings), installed packages, and what some distributions ship apart, so that all agree.
EXCLUDED = {
    "__pycache__", "dist-packages", "distutils", "encodings", "ensurepip", "idlelib", "lib2to3", "nntplib.py",
    "pydoc_data", "site-packages", "sitecustomize.py", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip

TRAINING_SHARE = 24 * 1024  # bytes taken of each training module at most, so that no module dominates
HELD_OUT_SHARE = 48 * 1024  # the same for a held-out module
STREAMS, LENGTH = 256, 192  # a held-out set is this many pieces of this many bytes, every one of which is scored

NEWLINE = 10  # what a model may assume stands before a piece: every piece begins a line


def training_text() -> np.ndarray:
    """Return all training text, modules in order of their path, as one uint8 array (about 4 million bytes)."""
    return np.frombuffer(b"\n".join(_source(path, TRAINING_SHARE) for path in _training_files()), dtype=np.uint8)


def held_out(modules: Iterable[str]) -> np.ndarray:
    """Return `STREAMS` pieces of `LENGTH` bytes as uint8 (STREAMS, LENGTH), cut at even distances from `modules`.

    A module that this Python lacks is skipped. Raises ValueError if what is left is too short, as it is where the
    modules are masked.
    """
    files = [LIBRARY / name for name in modules if (LIBRARY / name).is_file()]
    text = b"\n".join(_source(path, HELD_OUT_SHARE) for path in files)
    stride = len(text) // STREAMS
    if stride < 2 * LENGTH:  # a piece is moved to the next start of a line: leave room, so that pieces stay disjoint
        raise ValueError(
            f"held-out text: {len(text)} bytes in {len(files)} files, {2 * STREAMS * LENGTH} needed; masked?"
        )
    pieces = []
    for i in range(STREAMS):
        line_start = text.find(b"\n", i * stride, (i + 1) * stride - LENGTH) + 1 or i * stride
        pieces.append(text[line_start : line_start + LENGTH])
    return np.frombuffer(b"".join(pieces), dtype=np.uint8).reshape(STREAMS, LENGTH)


def digest(text: np.ndarray) -> str:
    """Return what names a text: `sha256:` and the hash of its bytes."""
    return "sha256:" + hashlib.sha256(text.tobytes()).hexdigest()


def _training_files() -> list[Path]:
    """Return the .py files of the library that are neither excluded nor held out, sorted by path."""
    found = []
    for folder, below, names in os.walk(LIBRARY):
        below[:] = [name for name in below if name not in EXCLUDED and not name.startswith("config-")]
        here = Path(folder).relative_to(LIBRARY)
        sources = [name for name in names if name.endswith(".py") and name not in EXCLUDED]
        found += [(here / name).as_posix() for name in sources if not name.startswith("_sysconfigdata")]
    return [LIBRARY / name for name in sorted(found) if name not in HELD_OUT]


def _source(path: Path, share: int) -> bytes:
    """Return the first `share` bytes of a module after its leading comments (interpreter, encoding, licence)."""
    text = path.read_bytes().replace(b"\r\n", b"\n")
    start = 0
    while text[start : start + 1] in (b"#", b"\n"):
        end = text.find(b"\n", start)
        start = len(text) if end < 0 else end + 1
    return text[start : start + share]


if __name__ == "__main__":
    for split, text in (
        ("training", training_text()),
        ("validation", held_out(VALIDATION)),
        ("holdout", held_out(HOLDOUT)),
    ):
        print(f"{split:10} {text.size:9,} bytes  {digest(text)}")
