"""Patterns and known files come in; the files that are there go out, each once, and are opened safely.

Patterns are relative to a root and may hold `**`. What matches but is no readable file comes out with its
trouble; a directory is trouble only where its name was meant: `logs/*` skips it. Nothing is read here.
"""

import errno
import io
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path

Identity = tuple[int, int]  # device, inode

_DIRECTORY = "it is a directory, not a file"
_NOWHERE = (0, 0)


@dataclass(frozen=True, slots=True)
class Found:
    """A path that is to be read, as it was when the directory was listed; `trouble` is why it cannot be."""

    path: Path
    shown: str
    identity: Identity
    size: int
    mtime_ns: int
    trouble: str = ""
    globbed: bool = True


def listed(patterns: Iterable[str], root: Path, paths_known: Iterable[str]) -> list[Found]:
    """What the patterns match: each file once however many names it has, first by one it is known by."""
    matched: dict[str, Found] = {}
    for pattern in patterns:
        anything = set(Path(pattern).name) <= {"*"}
        for name in glob(pattern, root_dir=root, recursive=True):  # noqa: PTH207 - Path.glob refuses absolute patterns
            one = _found(root / name, _relative(root / name, root))
            if one and not (anything and one.trouble == _DIRECTORY):
                matched[one.shown] = one
    known = set(paths_known)
    once: dict[object, Found] = {}
    for one in sorted(matched.values(), key=lambda one: (one.shown not in known, one.shown)):
        once.setdefault(one.identity if one.identity != _NOWHERE else one.shown, one)
    return list(once.values())


def renamed(missing: Collection[tuple[Identity, str, str]], root: Path) -> list[Found]:
    """Files that no pattern matches any more, where they stand by another name in the directory they were in.

    `missing` are their identities with the path and the real path they had.
    """
    folders = {Path(path).parent for _, shown, real in missing for path in (root / shown, real)}
    wanted = {identity for identity, _, _ in missing}
    once = {identity: path for folder in sorted(folders) for identity, path in _inside(folder, wanted)}
    found = [_found(path, _relative(path, root)) for _, path in sorted(once.items())]
    return [replace(one, globbed=False) for one in found if one and one.identity in wanted and not one.trouble]


def opened(found: Found) -> io.FileIO:
    """The very file that was listed, even if it has been renamed since. Raises OSError."""
    folder = found.path.parent
    for path in (found.path, *(path for _, path in _inside(folder, [found.identity]))):
        try:
            file = open(path, "rb", buffering=0, opener=_unblocked)  # noqa: SIM115 - the caller closes it
        except FileNotFoundError:
            continue
        status = os.fstat(file.fileno())
        if (status.st_dev, status.st_ino) == found.identity:
            return file
        file.close()
    raise FileNotFoundError(errno.ENOENT, "it vanished after its directory had been listed")


def printable(path: str) -> str:
    """`path` as text that can be stored: a name need not be UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def reason(error: OSError) -> str:
    """What the system says about `error`, without the path, which its place says."""
    return error.strerror or str(error)


def _found(path: Path, shown: str) -> Found | None:
    """What stands at `path`; None if it vanished. A link to nowhere is trouble of the link."""
    trouble = ""
    try:
        status = path.stat()
    except OSError as error:
        trouble = reason(error)
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
        except OSError:
            return Found(path, shown, _NOWHERE, 0, 0, trouble)
    if stat.S_ISDIR(status.st_mode):
        trouble = _DIRECTORY
    elif not trouble and not stat.S_ISREG(status.st_mode):
        trouble = "it is a pipe, a socket or a device, not a file"
    size = 0 if trouble else status.st_size
    return Found(path, shown, (status.st_dev, status.st_ino), size, status.st_mtime_ns, trouble)


def _inside(folder: Path, wanted: Iterable[Identity]) -> list[tuple[Identity, Path]]:
    """The wanted files that stand in `folder`, by whatever name; none if it cannot be listed."""
    inodes = {inode: device for device, inode in wanted}
    try:
        with os.scandir(folder) as entries:
            return [((inodes[e.inode()], e.inode()), Path(e.path)) for e in entries if e.inode() in inodes]
    except OSError:
        return []


def _unblocked(path: str, flags: int) -> int:
    """A pipe that took the file's place must not hang us."""
    return os.open(path, flags | os.O_NONBLOCK)


def _relative(path: Path, root: Path) -> str:
    """`path` relative to `root` where it is inside it."""
    whole, base = os.path.normpath(path), os.path.normpath(root)
    return printable(whole[len(base) + 1 :] if whole.startswith(base + os.sep) else whole)
