"""What a kept file tells of places and people: nothing; and files made to break what reads them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from app.attachments import contents
from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World
from tests.sync.attachments import (
    SQLITE_ONLY,
    PhoneOf,
    download,
    pushed,
    row_of,
    send,
    sha,
    stored,
)

# --- privacy ---

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF exif:GPSLatitude="22,32.4N"/></x:xmpmeta>'


def exif_with_gps() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # which way up
    exif[0x010F] = "Maker"
    exif[0x013B] = "An Artist"
    exif[int(ExifTags.IFD.Exif)] = {0x9003: "2026:03:02 10:00:00", 0x927C: b"maker note GPS 22.54", 0x9286: b"ASCII\0\0\0Depot"}
    exif[int(ExifTags.IFD.GPSInfo)] = {1: "N", 2: (22.0, 32.0, 24.0), 3: "E", 4: (114.0, 3.0, 0.0)}
    return exif


def photo(kind: str, **how: Any) -> bytes:
    image = Image.effect_noise((160, 120), 60).convert("RGB")
    out = io.BytesIO()
    if kind == "PNG":
        told = PngInfo()
        told.add_itxt("XML:com.adobe.xmp", XMP.decode())
        told.add_text("Comment", "taken at 22.54, 114.05")
        image.save(out, "PNG", exif=exif_with_gps(), pnginfo=told)
    else:
        image.save(out, kind, exif=exif_with_gps(), xmp=XMP, icc_profile=b"a profile" * 20, **how)
    return out.getvalue()


def pixels(raw: bytes) -> bytes:
    with Image.open(io.BytesIO(raw)) as image:
        return image.convert("RGB").tobytes()


def tells_of_place(raw: bytes) -> list[str]:
    found = [word.decode() for word in (b"GPSLatitude", b"22.54", b"Depot", b"An Artist", b"ns:meta") if word in raw]
    with Image.open(io.BytesIO(raw)) as image:
        exif = image.getexif()
        found += ["GPS"] if exif.get_ifd(ExifTags.IFD.GPSInfo) else []
        found += ["XMP"] if image.info.get("xmp") or "XML:com.adobe.xmp" in image.info else []
    return found


PHOTOS = [
    ("JPEG", "image/jpeg", {}),
    ("JPEG", "image/jpeg", {"progressive": True}),
    ("JPEG", "image/jpeg", {"restart_marker_rows": 1}),
    ("PNG", "image/png", {}),
    ("WEBP", "image/webp", {}),
    ("WEBP", "image/webp", {"lossless": True}),
]


@pytest.mark.parametrize(("kind", "mime", "how"), PHOTOS)
def test_a_kept_picture_tells_nothing_of_the_place_and_is_the_same_picture(
    tmp_path: Path, kind: str, mime: str, how: dict[str, Any]
) -> None:
    """Planted, one after the other: Exif, XMP and PNG texts are left in; the JPEG is compressed anew."""
    raw = photo(kind, **how)
    assert {"GPS", "XMP", "GPSLatitude", "Depot"} <= set(tells_of_place(raw))
    (tmp_path / "part").write_bytes(raw)

    contents.prepare(tmp_path / "part", tmp_path / "kept", mime, keep_location=False)

    kept = (tmp_path / "kept").read_bytes()
    assert tells_of_place(kept) == []
    assert pixels(kept) == pixels(raw)
    with Image.open(io.BytesIO(kept)) as image:
        assert image.getexif()[0x0112] == 6
        assert image.getexif().get_ifd(ExifTags.IFD.Exif)[0x9003] == "2026:03:02 10:00:00"
        if kind != "PNG":
            assert image.info["icc_profile"] == b"a profile" * 20


@pytest.mark.parametrize(("kind", "mime", "how"), PHOTOS)
def test_a_picture_without_descriptions_stays_byte_for_byte(tmp_path: Path, kind: str, mime: str, how: dict[str, Any]) -> None:
    out = io.BytesIO()
    Image.effect_noise((160, 120), 60).convert("RGB").save(out, kind, **how)
    (tmp_path / "part").write_bytes(out.getvalue())

    contents.prepare(tmp_path / "part", tmp_path / "kept", mime, keep_location=False)

    assert (tmp_path / "kept").read_bytes() == out.getvalue()


def test_what_hangs_behind_a_photograph_is_cut_off(tmp_path: Path) -> None:
    """A second picture or a film with a place of its own, as phones hang there; also a script. Planted: the rest is kept."""
    raw = photo("JPEG")
    (tmp_path / "part").write_bytes(raw + photo("JPEG") + b"<script>alert(1)</script>")

    contents.prepare(tmp_path / "part", tmp_path / "kept", "image/jpeg", keep_location=False)

    kept = (tmp_path / "kept").read_bytes()
    assert tells_of_place(kept) == []
    assert b"<script>" not in kept
    assert kept.endswith(b"\xff\xd9")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of broken Exif
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_cut_short_or_broken_anywhere_is_refused_or_tells_nothing(tmp_path: Path, kind: str) -> None:
    mime = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}[kind]
    raw = photo(kind)
    part, kept = tmp_path / "part", tmp_path / "kept"
    broken = [raw[:cut] for cut in range(0, len(raw), max(len(raw) // 60, 1))]
    broken += [raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :] for at in range(0, min(len(raw), 3000), 23)]
    for each in broken:
        part.write_bytes(each)
        try:
            contents.prepare(part, kept, mime, keep_location=False)
        except contents.ContentRefused:
            continue
        assert {"GPSLatitude", "22.54", "Depot"} & set(tells_of_place(kept.read_bytes())) == set()


def box(kind: bytes, body: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


@pytest.mark.parametrize("large", [False, True])
def test_a_film_tells_nothing_of_the_place_and_no_other_byte_moves(tmp_path: Path, *, large: bool) -> None:
    """Planted: the film is copied as it is."""
    place = b"\xa9xyz" + b"+22.5400+114.0500/"
    moov = (
        box(b"mvhd", b"\1" * 100)
        + box(b"udta", place, large=large)
        + box(b"trak", box(b"tkhd", b"\2" * 50) + box(b"meta", place))
    )
    raw = box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", moov, large=large) + box(b"mdat", b"\3" * 1000 + b"udta")
    (tmp_path / "part").write_bytes(raw)

    contents.prepare(tmp_path / "part", tmp_path / "kept", "video/mp4", keep_location=False)

    kept = (tmp_path / "kept").read_bytes()
    assert b"+22.5400" not in kept
    assert len(kept) == len(raw)
    assert kept[-1004:] == raw[-1004:]
    assert kept.count(b"free") == 2
    contents.prepare(tmp_path / "part", tmp_path / "kept", "video/mp4", keep_location=True)
    assert (tmp_path / "kept").read_bytes() == raw


@SQLITE_ONLY
@pytest.mark.parametrize("told", [{}, {"keep_location": "true"}])
def test_the_place_is_kept_only_when_it_is_asked_for(
    world: World, phone: PhoneOf, db: Database, settings: Settings, told: dict[str, str]
) -> None:
    """Planted: ``keep_location`` is not read; it is always so."""
    raw = photo("JPEG")
    rep = phone(world.rep)
    row = pushed(rep, row_of(world, raw, mime="image/jpeg", name="crack.jpg"))

    assert send(rep.person, row, raw, **told).status_code == 204

    got = download(rep, row["id"]).data
    found = stored(db, row["id"])
    assert (found.sha256, found.stored_sha256, found.keep_location) == (sha(raw), sha(got), bool(told))
    assert (got == raw) == bool(told)
    assert ("GPS" in tells_of_place(got)) == bool(told)


@SQLITE_ONLY
def test_a_customers_picture_loses_its_place_whatever_the_phone_asks_for(world: World, phone: PhoneOf, db: Database) -> None:
    """Planted: ``begin`` does not look at the role."""
    raw = photo("JPEG")
    owner = phone(world.owner)
    row = pushed(owner, row_of(world, raw, mime="image/jpeg", name="crack.jpg"))

    assert send(owner.person, row, raw, keep_location="true").status_code == 204

    assert stored(db, row["id"]).keep_location is False
    assert "GPS" not in tells_of_place(download(owner, row["id"]).data)


# --- files made to break or to occupy what reads them


def many_scans(scans: int, side: int = 1024) -> bytes:
    """A progressive JPEG whose scans are a few bytes each and go over the whole picture; ``side`` a multiple of 1024."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    blocks = (side // 8) ** 2
    head = b"\xff\xd8" + segment(0xDB, bytes(1) + bytes([1] * 64))
    head += segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes((1, 0x11, 0)))
    head += segment(0xC4, bytes((0x00, 1, *[0] * 15, 0x00))) + segment(0xC4, bytes((0x10, 1, *[0] * 15, 0xE0)))
    first = segment(0xDA, bytes((1, 1, 0, 0, 0, 0))) + bytes(blocks // 8)
    runs = "".join("0" + "0" * 14 for _ in range(blocks // 16384))  # the end of 16,384 blocks in 15 bits
    runs += "1" * (-len(runs) % 8)
    scan = segment(0xDA, bytes((1, 1, 0, 1, 63, 0))) + bytes(int(runs[i : i + 8], 2) for i in range(0, len(runs), 8))
    return head + first + scan * scans + b"\xff\xd9"


@pytest.mark.parametrize("keep_location", [True, False])
def test_a_picture_of_very_many_scans_is_not_unpacked(tmp_path: Path, keep_location: bool) -> None:
    part, kept = tmp_path / "part", tmp_path / "kept"
    part.write_bytes(many_scans(60) + b"\xff\xda" * 200)  # what stands behind a picture is none of its scans
    contents.prepare(part, kept, "image/jpeg", keep_location=keep_location)
    for raw in (many_scans(120), many_scans(120).replace(b"\xff\xc2", b"\xff\xff\xc2")):
        part.write_bytes(raw)
        with pytest.raises(contents.ContentRefused, match="image_too_large"):
            contents.prepare(part, kept, "image/jpeg", keep_location=keep_location)


def test_a_film_nested_deeply_is_kept(tmp_path: Path) -> None:
    film = struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0"
    film += b"".join(struct.pack(">I4s", 8 * (3000 - i), b"trak" if i else b"moov") for i in range(3000))
    (tmp_path / "part").write_bytes(film)
    contents.prepare(tmp_path / "part", tmp_path / "kept", "video/mp4", keep_location=False)

    assert (tmp_path / "kept").read_bytes() == film


@pytest.mark.parametrize("odd", ["long", "other type"])
def test_a_picture_with_odd_descriptions_is_kept_without_them(tmp_path: Path, odd: str) -> None:
    if odd == "long":  # told in two segments
        tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x010F, 2, 100_000, 26, 0) + b"A" * 99_999 + b"\0"
    else:  # the maker's name as a fraction
        tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIIIII", 1, 0x010F, 5, 1, 26, 0, 72, 1)
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    told = b"".join(
        b"\xff\xe1" + struct.pack(">H", len(piece) + 8) + b"Exif\0\0" + piece
        for piece in (tiff[i : i + 60_000] for i in range(0, len(tiff), 60_000))
    )
    (tmp_path / "part").write_bytes(plain.getvalue()[:2] + told + plain.getvalue()[2:])
    contents.prepare(tmp_path / "part", tmp_path / "kept", "image/jpeg", keep_location=False)

    assert b"Exif" not in (tmp_path / "kept").read_bytes()
    with Image.open(tmp_path / "kept") as kept:
        assert kept.size == (8, 8)
