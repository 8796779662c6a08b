"""One line of a file that has been read before: its path and number come in, its text goes out.

For showing a person where a record came from. The file may have been rotated, packed or deleted since: then
there is no text. Nothing is parsed here, and no more of the file is kept than the line.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import IO, Any

from collector.sources.lines import packing

HEAD_BYTES = 10  # as many as `packing` looks at
LINE_BYTES_MAX = 4 << 20
_READERS: dict[str, Callable[[IO[bytes]], Any]] = {
    "": lambda file: file,
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


def line_text(path: Path, line_no: int) -> str | None:
    """The line `line_no` (from 1) of the file at `path`, without its newline; None where it cannot be had."""
    try:
        with path.open("rb") as file:
            reader = _READERS.get(packing(file.read(HEAD_BYTES)))
            if reader is None:
                return None
            file.seek(0)
            line: bytes = next(islice(reader(file), line_no - 1, None), b"")
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return None
    if not line.strip() or len(line) > LINE_BYTES_MAX:
        return None
    return line.decode("utf-8", "replace").strip("\ufeff\r\n")
