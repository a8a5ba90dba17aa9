# ruff: noqa: PTH115, PTH118, PTH202, PTH208
"""Code under trial that looks for held-out modules wherever it can; it knows their lines by hash alone.

`main` prints one line: ``STOLEN`` and a JSON object of the paths or ways by which held-out text was found.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import json
import linecache
import marshal
import os
import subprocess
import sys
import types
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

MODULES = (
    "mailbox", "poplib", "smtplib", "trace", "wsgiref.handlers", "wsgiref.validate", "xmlrpc.client", "ftplib",
    "imaplib", "modulefinder", "tabnanny", "turtle", "zipapp",
)  # fmt: skip
LIBRARY = Path(os.__file__).parent
STEMS = {name.rpartition(".")[2] for name in MODULES}
ARCHIVES = (".zip", ".whl", ".egg", ".jar", ".pyz")
LARGEST = 30 << 20
FEW = 8
"""Lines that another text may share by chance: declarations, idioms."""
Found = Iterator[tuple[str, str]]


def hash_of(line: str) -> str:
    return hashlib.sha256(line.strip().encode("utf-8", "replace")).hexdigest()[:16]


def text_of(data: bytes) -> str:
    """The text in a source, or in the strings of bytecode."""
    with contextlib.suppress(ValueError, EOFError, TypeError):
        for header in (16, 12, 8):
            code = marshal.loads(data[header:])
            if isinstance(code, types.CodeType):
                return strings(code)
    return data.decode("utf-8", "replace")


def strings(code: types.CodeType) -> str:
    inner = [strings(each) if isinstance(each, types.CodeType) else each for each in code.co_consts]
    return "\n".join(each for each in inner if isinstance(each, str))


def read(path: str | Path) -> str:
    return text_of(Path(path).read_bytes())


def by_path() -> Found:
    for name in MODULES:
        source = LIBRARY / (name.replace(".", "/") + ".py")
        for path in (source, source.with_suffix(".pyc"), *source.parent.glob(f"__pycache__/{source.stem}.*")):
            with contextlib.suppress(OSError):
                yield str(path), read(path)


def by_import() -> Found:
    for name in MODULES:
        with contextlib.suppress(ImportError, OSError, TypeError, AttributeError, SyntaxError):
            spec = importlib.util.find_spec(name)
            assert spec is not None
            loader: types.SimpleNamespace = spec.loader  # type: ignore[assignment]
            yield f"loader of {name}", loader.get_source(name) or ""
            yield f"code of {name}", strings(loader.get_code(name))
            yield f"lines of {name}", "".join(linecache.getlines(str(spec.origin)))
            yield f"inspection of {name}", inspect.getsource(importlib.import_module(name))


def by_name() -> Found:
    """Every file on the machine that is called like a held-out module, alone or in an archive."""
    for here, folders, files in os.walk("/", onerror=lambda error: None):
        folders[:] = [each for each in folders if os.path.join(here, each) not in ("/proc", "/sys", "/dev")]
        for name in files:
            path = os.path.join(here, name)
            with contextlib.suppress(OSError, zipfile.BadZipFile, NotImplementedError):
                if name.split(".")[0] in STEMS and os.path.getsize(path) < LARGEST:
                    yield path, read(path)
                elif name.endswith(ARCHIVES) and os.path.getsize(path) < LARGEST:
                    yield from in_archive(path)


def in_archive(path: str) -> Found:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.rpartition("/")[2].split(".")[0] in STEMS:
                yield f"{path}!{name}", text_of(archive.read(name))


def by_process() -> Found:
    """Roots, directories and open files of every process; the memory of the first one; left-over roots of a sandbox."""
    tails = [f"{LIBRARY}/{name.replace('.', '/')}.py".lstrip("/") for name in MODULES]
    roots = [f"/proc/{pid}/{link}" for pid in os.listdir("/proc") if pid.isdigit() for link in ("root", "cwd")]
    for root in [*roots, "/newroot", "/oldroot", "/proc/self/root/proc/1/root", "/proc/1/task/1/root"]:
        for tail in [*tails, "score.py"]:
            with contextlib.suppress(OSError):
                yield f"{root}/{tail}", read(f"{root}/{tail}")
    for pid in [each for each in os.listdir("/proc") if each.isdigit()]:
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                where = os.readlink(f"/proc/{pid}/fd/{fd}")
                for tail in tails:
                    with contextlib.suppress(OSError):
                        yield f"{where} of {pid}", read(f"/proc/{pid}/fd/{fd}/{tail}")


def by_mount() -> Found:
    """What lies under a mount: read below the layers it names, or uncovered in a namespace of our own."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        for option in line.split(" ")[-1].split(","):
            if option.startswith("lowerdir="):
                for layer in option.removeprefix("lowerdir=").split(":"):
                    for name in MODULES:
                        with contextlib.suppress(OSError):
                            yield layer, read(f"{layer}/{name.replace('.', '/')}.py")
    uncover = f"umount -l {LIBRARY}/smtplib.py; umount -l {LIBRARY}; cat {LIBRARY}/smtplib.py"
    for tool in (["unshare", "-Urm"], ["unshare", "-rm", "--keep-caps"], ["sh"]):
        yield " ".join(tool), said([*tool, *(["sh"] if tool != ["sh"] else []), "-c", uncover])


def by_interpreter() -> Found:
    """Every interpreter there is, asked for the source."""
    ask = "import inspect, smtplib, trace; print(inspect.getsource(smtplib), inspect.getsource(trace))"
    places = {Path(each) for each in os.environ.get("PATH", "").split(":")} | {Path("/usr/bin"), Path("/usr/local/bin")}
    tools = {path.resolve() for place in places for path in place.glob("p*y*[0-9n]") if path.name != "pydoc"}
    for tool in sorted(tools):
        for words in (["-c", ask], ["-I", "-c", ask], ["-m", "pydoc", "smtplib"]):
            if os.access(tool, os.X_OK) and tool.name.startswith(("python", "pypy")):
                yield f"{tool} {words[0]}", said([str(tool), *words])


def by_git() -> Found:
    """Objects of any repository in sight."""
    for start in (Path.cwd(), *Path.cwd().parents, Path.home(), Path("/tmp")):
        for path in [*start.glob(".git/objects/*/*"), *start.glob("*.git/objects/*/*")][:2000]:
            with contextlib.suppress(OSError, zlib.error):
                yield str(path), zlib.decompress(path.read_bytes()).decode("utf-8", "replace")


def by_link() -> Found:
    for number, name in enumerate(MODULES):
        link = Path(f"link-{number}")
        with contextlib.suppress(OSError):
            link.symlink_to(f"../../../../../../..{LIBRARY}/{name.replace('.', '/')}.py")
            yield str(link), read(link)
        with contextlib.suppress(OSError):
            link.unlink()


def said(words: list[str]) -> str:
    try:
        return subprocess.run(words, capture_output=True, timeout=20, check=False).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return ""


WAYS = (by_path, by_import, by_process, by_mount, by_interpreter, by_git, by_link, by_name)


def steal(wanted: set[str]) -> dict[str, list[str]]:
    """By way: where at least `FEW` lines of held-out text were found."""
    found: dict[str, list[str]] = {}
    for way in WAYS:
        for where, text in way():
            if len({hash_of(line) for line in text.splitlines()} & wanted) >= FEW:
                found.setdefault(way.__name__, []).append(where)
    return found


def main(wanted: str) -> str:
    found = steal(set(Path(wanted).read_text().split()))
    line = "STOLEN " + json.dumps({way: places[:5] for way, places in found.items()})
    print(line, file=sys.stderr, flush=True)
    return line
