"""What is in a file: its type told by its bytes, and the place a photograph was taken taken out of it. Knows no database.

Nothing is compressed anew: only the pieces that hold descriptions are left out, so the picture stays as it was, bit by bit.
The only importer of Pillow, which reads pictures, to see that they can be, and Exif.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from app.core.errors import Invalid

_CHUNK = 1 << 20
# Bombs: a picture of a few kilobytes may ask for gigabytes when it is unpacked. JPEG is unpacked at an eighth of its size.
_MOST_PIXELS = {"JPEG": 200_000_000, "PNG": 50_000_000, "WEBP": 50_000_000}
# Each scan of a progressive JPEG goes over the whole picture, and a few bytes make one. Cameras and tools make about ten.
_MOST_SCANS = 100
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
# What a picture may go on telling of itself: which way up, when and how it was taken. Nothing of where and by whom.
_KEPT_TAGS = (0x0112, 0x010F, 0x0110, 0x0132, 0x011A, 0x011B, 0x0128)
_KEPT_EXIF = (0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9291, 0x829A, 0x829D, 0x8827, 0x920A, 0xA405)
_TEXT_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")

# Media type -> the ending a stored file is offered with, and others it may keep.
TYPES: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("jpg", "jpeg"),
    "image/png": ("png",),
    "image/webp": ("webp",),
    "application/pdf": ("pdf",),
    "video/mp4": ("mp4",),
    "audio/mp4": ("m4a", "mp4"),
    "audio/aac": ("aac",),
    "text/plain": ("txt", "log", "csv"),
}


class ContentRefused(Invalid):
    """The bytes are not what was said of them."""


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prepare(source: Path, target: Path, mime: str, *, keep_location: bool) -> None:
    """Write the file that is to be kept, to the disk.

    Args:
        source: the bytes as they came.
        mime: what they are said to be.
        keep_location: leave in a picture where it was taken, and everything else.

    Raises:
        ContentRefused: ``type_differs``, ``image_unreadable`` or ``image_too_large``.
    """
    if mime in _FORMATS:
        raw = source.read_bytes()
        target.write_bytes(_picture(raw, _FORMATS[mime], keep_location=keep_location))
    else:
        with source.open("rb") as file:
            if not _CHECKS[mime](file):
                raise ContentRefused("type_differs")
            file.seek(0)
            with target.open("wb") as out:
                while piece := file.read(_CHUNK):
                    out.write(piece)
        if mime in {"video/mp4", "audio/mp4"} and not keep_location:
            with target.open("r+b") as out:
                _blank_descriptions(out, 0, os.fstat(out.fileno()).st_size, _TOP)
    with target.open("rb") as file:
        os.fsync(file.fileno())


# --- pictures ---


def _picture(raw: bytes, kind: str, *, keep_location: bool) -> bytes:
    exif = _look_at(raw, kind)
    if keep_location:
        return raw
    try:
        clean = _WITHOUT[kind](raw, exif)
    except (IndexError, ValueError, struct.error):
        raise ContentRefused("image_unreadable") from None
    _look_at(clean, kind)
    return clean


def _look_at(raw: bytes, kind: str) -> bytes:
    """See that a picture can be shown; return its Exif without what tells of places and people, or nothing."""
    try:
        with Image.open(io.BytesIO(raw), formats=[kind]) as image:
            if image.width * image.height > _MOST_PIXELS[kind]:
                raise ContentRefused("image_too_large")
            if kind == "JPEG" and _has_many_scans(raw):
                raise ContentRefused("image_too_large")
            exif = image.getexif()
            image.draft(None, (max(image.width // 8, 1), max(image.height // 8, 1)))
            image.load()
            return _kept_exif(exif)
    except UnidentifiedImageError:
        raise ContentRefused("type_differs") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ContentRefused("image_too_large") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError, TypeError, zlib.error):
        raise ContentRefused("image_unreadable") from None


def _kept_exif(exif: Image.Exif) -> bytes:
    kept = Image.Exif()
    for tag in _KEPT_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    inner: dict[int, Any] = {tag: value for tag, value in exif.get_ifd(ExifTags.IFD.Exif).items() if tag in _KEPT_EXIF}
    if inner:
        kept[int(ExifTags.IFD.Exif)] = inner
    try:
        found = kept.tobytes() if len(kept) else b""
    except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError, struct.error):
        return b""  # values of other types than their tags have: the picture is worth more than what it says of itself
    return found if len(found) <= _LONGEST_EXIF else b""


_LONGEST_EXIF = 65_533  # what a segment of a JPEG holds
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def _has_many_scans(raw: bytes) -> bool:
    """Tell it as the library reads: it passes over whatever stands between segments, up to the end of the picture."""
    if raw.count(b"\xff\xda") <= _MOST_SCANS:
        return False
    scans, at = 0, 2
    while scans <= _MOST_SCANS and (found := _MARKER.search(raw, at)):
        marker, at = raw[found.end() - 1], found.end()
        if marker == 0xD9:
            return False
        if 0x01 < marker < 0xC0:  # of no use in any picture, and what follows is read in more than one way
            return True
        if not 0xD0 <= marker <= 0xD8 and marker != 0x01:
            at += int.from_bytes(raw[at : at + 2], "big")
        if marker == 0xDA:
            scans += 1
            behind = _SCAN_END.search(raw, at)
            at = behind.start() if behind else len(raw)
    return scans > _MOST_SCANS


def _jpeg_without(raw: bytes, exif: bytes) -> bytes:
    """Keep the picture's own segments; leave out descriptions and everything behind its end, such as a second picture."""
    head, out, at = bytearray(raw[:2]), bytearray(), 2
    while True:
        while raw[at + 1] == 0xFF:
            at += 1
        marker = raw[at + 1]
        if raw[at] != 0xFF:
            raise ValueError("no marker")
        if marker == 0xD9:
            break
        end = at + 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
        segment = raw[at:end]
        if marker == 0xE0 and segment[4:9] == b"JFIF\0":
            head += segment
        elif _is_kept_segment(marker, segment):
            out += segment
        at = end
        if marker == 0xDA:
            behind = _SCAN_END.search(raw, at)
            end = behind.start() if behind else len(raw)
            out += raw[at:end]
            at = end
            if behind is None:
                break
    told = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif if exif else b""
    return bytes(head) + told + bytes(out) + b"\xff\xd9"


def _is_kept_segment(marker: int, segment: bytes) -> bool:
    if marker == 0xE2:
        return segment[4:16] == b"ICC_PROFILE\0"
    if marker == 0xEE:
        return segment[4:9] == b"Adobe"
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


_PNG_KEPT = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP pHYs sBIT bKGD hIST cICP mDCV cLLI acTL fcTL fdAT".split()
)  # fmt: skip


def _png_without(raw: bytes, exif: bytes) -> bytes:
    out, at = bytearray(raw[:8]), 8
    while True:
        length = int.from_bytes(raw[at : at + 4], "big")
        kind = raw[at + 4 : at + 8]
        if len(kind) < 4:
            raise ValueError("cut short")
        if kind in _PNG_KEPT:
            out += raw[at : at + 12 + length]
        if kind == b"IHDR" and exif:
            body = b"eXIf" + exif.removeprefix(b"Exif\0\0")
            out += (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        if kind == b"IEND":
            return bytes(out)
        at += 12 + length


_WEBP_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF"})
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04


def _webp_without(raw: bytes, exif: bytes) -> bytes:
    out, at = bytearray(), 12
    whole = min(8 + int.from_bytes(raw[4:8], "little"), len(raw))
    extended = None
    while at + 8 <= whole:
        kind, length = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if kind in _WEBP_KEPT:
            if kind == b"VP8X":
                extended = len(out) + 8
            out += raw[at:end]
        at = end
    if extended is not None:
        out[extended] &= ~(_WEBP_EXIF | _WEBP_XMP) & 0xFF
        if exif:
            out[extended] |= _WEBP_EXIF
            body = exif.removeprefix(b"Exif\0\0")
            out += b"EXIF" + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
    return b"RIFF" + (len(out) + 4).to_bytes(4, "little") + b"WEBP" + bytes(out)


_WITHOUT: dict[str, Callable[[bytes, bytes], bytes]] = {"JPEG": _jpeg_without, "PNG": _png_without, "WEBP": _webp_without}


# --- MP4 ---

# Boxes that hold boxes on the way to descriptions, and those that are descriptions.
_TOP = frozenset({b"moov"})
_INSIDE: dict[bytes, frozenset[bytes]] = {b"moov": frozenset({b"trak"}), b"trak": frozenset()}
_DESCRIPTIONS = frozenset({b"udta", b"meta", b"uuid"})


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Tell kind, start of what is inside, and end of the boxes in a stretch of a file, up to one that makes no sense."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        length, inside = int.from_bytes(head[:4], "big"), start + 8
        if length == 1:
            length, inside = int.from_bytes(head[8:16], "big"), start + 16
        elif length == 0:
            length = end - start
        if start + length < inside or start + length > end:
            return
        yield head[4:8], inside, start + length
        start += length


def _blank_descriptions(file: BinaryIO, start: int, end: int, holders: frozenset[bytes]) -> None:
    """Make ``free`` boxes of the descriptions, in their place: no other byte moves."""
    for kind, inside, ends in list(_boxes(file, start, end)):
        if kind in _DESCRIPTIONS:
            file.seek(start + 4)
            file.write(b"free")
            file.seek(inside)
            file.write(b"\0" * (ends - inside))
        elif kind in holders:
            _blank_descriptions(file, inside, ends, _INSIDE[kind])
        start = ends


# --- the types that are no pictures ---


def _is_pdf(file: BinaryIO) -> bool:
    return file.read(5) == b"%PDF-"


def _is_mp4(file: BinaryIO) -> bool:
    head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12].rstrip().isalnum()


def _is_aac(file: BinaryIO) -> bool:
    head = file.read(2)
    return len(head) == 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0  # ADTS


def _is_text(file: BinaryIO) -> bool:
    reader = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        while piece := reader.read(_CHUNK):
            if _TEXT_CONTROLS.search(piece):
                return False
    except UnicodeDecodeError:
        return False
    finally:
        reader.detach()
    return True


_CHECKS: dict[str, Callable[[BinaryIO], bool]] = {
    "application/pdf": _is_pdf,
    "video/mp4": _is_mp4,
    "audio/mp4": _is_mp4,
    "audio/aac": _is_aac,
    "text/plain": _is_text,
}


# --- names ---

_BAD_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:\"|?*;%]")


def safe_name(name: str, mime: str) -> str:
    """Return a file name that leads nowhere, hides nothing and ends as its type does."""
    last = re.split(r"[/\\]", name)[-1]
    plain = _BAD_IN_NAMES.sub("", last).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if dot and ending.lower() in TYPES[mime]:
        return f"{stem[:100].strip('. ') or 'attachment'}.{ending.lower()}"
    return f"{plain[:100].strip('. ') or 'attachment'}.{TYPES[mime][0]}"
