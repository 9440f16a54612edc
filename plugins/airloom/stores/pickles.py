"""Files that run code when they are read: pickles, whatever they are called and however they are packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from airloom.stores.trusted import is_trusted

_ARRAY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
#: So much of a file tells what it is.
_HEAD = 2**16

_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)).read1(_HEAD),
    b"\x78": lambda data: zlib.decompressobj().decompress(data, _HEAD),
    b"BZh": lambda data: bz2.BZ2Decompressor().decompress(data, _HEAD),
    b"\xfd7zXZ": lambda data: lzma.LZMADecompressor().decompress(data, _HEAD),
    b"\x5d\x00\x00": lambda data: lzma.LZMADecompressor().decompress(data, _HEAD),
}


def pickles_in(folder: Path) -> list[str]:
    """Return the files of a model that run code when they are read, by their content.

    A torch archive is none if it names only what torch and we trust.

    Args:
        folder: The model's folder.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [file.relative_to(folder).as_posix() for file in files if _runs_code(file)]


def _runs_code(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    if not head.startswith(_ZIP):
        return _is_pickle(head) or _is_old_pickle(head, file)
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if any(name.endswith("/data.pkl") for name in names):
            return _is_untrusted_archive(file, names)
        return any(_is_pickle(archive.open(name).read(_HEAD)) for name in names)


def _is_pickle(head: bytes) -> bool:
    """Tell whether data begin as a pickle, or as an array of objects; packed ones are unpacked."""
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if head.startswith(_ARRAY):
        return b"'descr': '|O'" in head[:256]
    for magic, unpacked in _PACKED.items():
        if head.startswith(magic):
            try:
                return _is_pickle(unpacked(head))
            except (OSError, EOFError, zlib.error, lzma.LZMAError):
                return False
    return False


def _is_old_pickle(head: bytes, file: Path) -> bool:
    """Tell whether a whole file is a pickle of the protocols 0 and 1, which have no beginning of their own."""
    if head[:1] not in (b"(", b"c", b"]", b"}", b"i"):
        return False
    data = file.read_bytes()
    try:
        *_, (_, _, stop) = pickletools.genops(data)
    except ValueError:
        return False
    return not data[(stop or 0) + 1 :].strip()


def _is_untrusted_archive(file: Path, names: list[str]) -> bool:
    """Tell whether an archive of torch holds a program, or names what is not trusted."""
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        return True
    from torch.serialization import get_unsafe_globals_in_checkpoint

    try:
        return not all(map(is_trusted, get_unsafe_globals_in_checkpoint(file)))
    except Exception:  # noqa: BLE001 - what torch cannot read, nobody else should
        return True
