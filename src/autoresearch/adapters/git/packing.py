"""Loose objects gathered into packs, so that a trial costs bytes and not blocks.

Nothing is ever dropped, reachable or not; loose files go only after the pack that holds them is on the disk.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from autoresearch.adapters.git.command import attempt, git
from autoresearch.adapters.git.places import locked
from autoresearch.domain.errors import InfraError

FACTOR = 8
"""So many packs of one size class are joined into one: at most ``FACTOR * log`` packs lie there."""


def pack(store: Path) -> int:
    """Pack every loose object of the bare repository `store`; returns how many. 0 when another process is at it.

    Raises `InfraError` when git cannot (a damaged object, a full disk); nothing is lost then.
    """
    try:
        with locked(store / "autoresearch-pack.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            packed = _pack_loose(store)
            _join(store)
            return packed
    except BlockingIOError:
        return 0


def _loose(store: Path) -> Iterator[tuple[str, Path]]:
    for directory in (store / "objects").iterdir():
        if len(directory.name) == 2:
            for path in directory.iterdir():
                if len(path.name) in (38, 62):
                    yield directory.name + path.name, path


def _pack_loose(store: Path) -> int:
    found = dict(_loose(store))
    if found:
        _write_pack(store, list(found), fresh=True)
        for path in found.values():
            path.unlink(missing_ok=True)
    return len(found)


def _write_pack(store: Path, oids: Sequence[str], *, fresh: bool) -> str:
    """Pack the objects and return the pack's name, empty when every one was packed already (`fresh`)."""
    options = ["-q", "--delta-base-offset", "--threads=1", *(["--incremental", "--window=50"] if fresh else [])]
    listing = "".join(f"{oid}\n" for oid in oids).encode()
    target = store / "objects" / "pack" / "pack"
    settings = ["core.fsync=all", "core.fsyncMethod=fsync", "pack.compression=9"]
    name = git(["pack-objects", *options, str(target)], cwd=store, own=True, data=listing, settings=settings)
    _settle(target.parent)
    return name.decode().strip()


def _settle(directory: Path) -> None:
    """Force a directory's names to the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _join(store: Path) -> None:
    """Join the packs of a size class that has grown too many; packs marked ``.keep`` are left alone."""
    directory = store / "objects" / "pack"
    classes: dict[int, list[Path]] = {}
    for index in directory.glob("pack-*.idx"):
        if index.with_suffix(".keep").exists():
            continue
        with index.open("rb") as file:
            file.seek(8 + 255 * 4)
            objects = int.from_bytes(file.read(4), "big")
        classes.setdefault(len(f"{objects:o}"), []).append(index)
    for indexes in classes.values():
        if len(indexes) >= FACTOR:
            oids = [oid for index in indexes for oid in _packed(store, index)]
            name = _write_pack(store, list(dict.fromkeys(oids)), fresh=False)
            for index in indexes:
                if index.stem != f"pack-{name}":
                    _drop(index)


def _packed(store: Path, index: Path) -> Sequence[str]:
    done = attempt(["show-index"], cwd=store, own=True, data=index.read_bytes())
    if done.returncode:
        raise InfraError(f"{index} is damaged: run git fsck in {store}")
    return [line.split()[1].decode() for line in done.stdout.splitlines()]


def _drop(index: Path) -> None:
    for suffix in (".idx", ".rev", ".bitmap", ".mtimes", ".pack"):
        with suppress(FileNotFoundError):
            index.with_suffix(suffix).unlink()
