"""Picture files of every sort, made by the tests, and files that are no pictures."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlbench.features import PictureError, read_both, read_grey, read_rgb
from tlbench.features.errors import several

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def luminance(rgb: tuple[int, int, int]) -> float:
    return (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]) / 255


def quarters(width: int = 48, height: int = 32) -> Image.Image:
    """Red, green, blue and white quarters: no two turns of it look the same."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def corners(values: np.ndarray) -> np.ndarray:
    """The middles of the four quarters: top left, top right, bottom left, bottom right."""
    h, w = values.shape[:2]
    return np.array(
        [values[h // 4, w // 4], values[h // 4, -w // 4], values[-h // 4, w // 4], values[-h // 4, -w // 4]]
    )


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(image: Image.Image, name: str, **options: object) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


# Modes


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.ppm", "a.webp", "a.gif", "a.jpg"])
def test_colours_in_every_format(saved: Callable[..., Path], name: str) -> None:
    options = {"lossless": True} if name == "a.webp" else {"quality": 95} if name == "a.jpg" else {}
    path = saved(quarters(), name, **options)
    rgb, grey = read_rgb(path), read_grey(path)
    assert rgb.shape == (32, 48, 3)
    assert grey.shape == (32, 48)
    assert rgb.dtype == grey.dtype == np.float32
    np.testing.assert_allclose(corners(rgb), np.array([RED, GREEN, BLUE, WHITE]) / 255, atol=0.02)
    np.testing.assert_allclose(corners(grey), [luminance(c) for c in (RED, GREEN, BLUE, WHITE)], atol=0.01)


def test_grey_and_its_colours(saved: Callable[..., Path]) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = saved(Image.fromarray(values), "l.png")
    np.testing.assert_array_equal(read_grey(path), values.astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(read_rgb(path), np.repeat(read_grey(path)[..., None], 3, axis=2))


def test_transparent_is_white(saved: Callable[..., Path]) -> None:
    la = Image.merge("LA", [Image.new("L", (4, 1), 0), Image.frombytes("L", (4, 1), bytes([0, 51, 204, 255]))])
    np.testing.assert_allclose(read_grey(saved(la, "la.png"))[0], [1, 0.8, 0.2, 0], atol=0.003)
    rgba = Image.new("RGBA", (2, 1), (*RED, 0))
    rgba.putpixel((1, 0), (*BLUE, 255))
    np.testing.assert_allclose(read_rgb(saved(rgba, "rgba.png"))[0], [[1, 1, 1], [0, 0, 1]])
    np.testing.assert_allclose(read_rgb(saved(rgba, "rgba.tif"))[0], [[1, 1, 1], [0, 0, 1]])


def test_palettes(saved: Callable[..., Path]) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    for place in range(3):
        image.putpixel((place, 0), place)
    np.testing.assert_allclose(read_rgb(saved(image, "p.png"))[0], np.array([RED, GREEN, BLUE]) / 255)
    np.testing.assert_allclose(
        read_grey(saved(image, "p.gif"))[0], [luminance(c) for c in (RED, GREEN, BLUE)], atol=0.003
    )
    for name in ("t.png", "t.gif"):
        path = saved(image, name, transparency=1)
        np.testing.assert_allclose(read_rgb(path)[0], np.array([RED, WHITE, BLUE]) / 255)
        np.testing.assert_allclose(read_grey(path)[0], [luminance(c) for c in (RED, WHITE, BLUE)], atol=0.003)
    half = saved(image, "half.png", transparency=bytes([255, 128, 0]))
    np.testing.assert_allclose(read_rgb(half)[0], [[1, 0, 0], [0.5, 1, 0.5], [1, 1, 1]], atol=0.003)


def test_one_colour_named_transparent(saved: Callable[..., Path]) -> None:
    assert read_rgb(saved(quarters(), "rgb.png", transparency=RED))[0, 0].tolist() == [1, 1, 1]
    assert read_grey(saved(Image.new("L", (2, 2), 7), "l.png", transparency=7)).min() == 1
    deep = Image.fromarray(np.array([[7, 8]], dtype=np.uint16))
    assert read_grey(saved(deep, "i16.png", transparency=7)).tolist()[0] == pytest.approx([1, 8 / 65535])


def test_cmyk(saved: Callable[..., Path]) -> None:
    ink = Image.new("CMYK", (32, 16), (0, 0, 0, 0))
    ink.paste((0, 255, 255, 0), (0, 0, 16, 16))  # magenta and yellow make red
    for name in ("c.jpg", "c.tif"):
        path = saved(ink, name)
        np.testing.assert_allclose(read_rgb(path)[8, [4, 28]], [[1, 0, 0], [1, 1, 1]], atol=0.02)
        np.testing.assert_allclose(read_grey(path)[8, [4, 28]], [0.299, 1], atol=0.02)
        np.testing.assert_allclose(read_grey(path, at_most=8)[2, [1, 7]], [0.299, 1], atol=0.05)


def test_one_bit(saved: Callable[..., Path]) -> None:
    image = Image.new("1", (9, 3))
    image.putpixel((8, 2), 1)
    for name in ("b.png", "b.tif", "b.pbm", "b.bmp"):
        grey = read_grey(saved(image, name))
        assert grey.sum() == grey[2, 8] == 1
        assert read_rgb(tmp := saved(image, name)).shape == (3, 9, 3), tmp


@pytest.mark.parametrize("name", ["d.png", "d.tif", "d.pgm"])
def test_sixteen_bits_are_scaled_by_their_range(saved: Callable[..., Path], name: str) -> None:
    values = np.array([[0, 255, 256, 1000], [32768, 40000, 65534, 65535]], dtype=np.uint16)
    path = saved(Image.fromarray(values), name)
    np.testing.assert_allclose(read_grey(path), values / 65535, atol=1e-7)
    np.testing.assert_allclose(read_rgb(path)[..., 1], values / 65535, atol=1e-7)
    assert read_grey(path, at_most=2).shape == (1, 2)


def tiff(values: bytes, width: int, bits: int, order: str = "<", photometric: int = 1) -> bytes:
    """A TIFF of one row, written by hand for sorts that Pillow reads and does not write."""
    tags = [
        (256, width),
        (257, 1),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, 1),
        (279, len(values)),
    ]
    padded = values + b"\0" * (len(values) % 2)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(padded))
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
    return head + padded + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0)


def test_tiffs_that_cameras_and_scanners_write(tmp_path: Path) -> None:
    path = tmp_path / "t.tif"
    path.write_bytes(tiff(struct.pack(">3H", 0, 1000, 65535), 3, 16, ">"))
    np.testing.assert_allclose(read_grey(path)[0], [0, 1000 / 65535, 1], atol=1e-7)
    path.write_bytes(tiff(struct.pack("<3H", 0, 1000, 65535), 3, 16, "<", photometric=0))
    np.testing.assert_allclose(read_grey(path)[0], [1, 1 - 1000 / 65535, 0], atol=1e-6)
    path.write_bytes(tiff(bytes([0xFF, 0xF8, 0x00]), 2, 12))
    np.testing.assert_allclose(read_grey(path)[0], [1, 2048 / 4095], atol=1e-6)
    path.write_bytes(tiff(struct.pack("<3I", 0, 2**31, 2**32 - 1), 3, 32))
    np.testing.assert_allclose(read_grey(path)[0], [0, 0.5, 1], atol=1e-6)


def test_floats(saved: Callable[..., Path]) -> None:
    unit = np.linspace(0.2, 1, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(read_grey(saved(Image.fromarray(unit), "u.tif")), unit)
    wide = saved(Image.fromarray(np.array([[-3e38, 0, 3e38]], dtype=np.float32)), "w.tif")
    np.testing.assert_allclose(read_grey(wide)[0], [0, 0.5, 1])
    assert not read_grey(saved(Image.fromarray(np.full((2, 2), 9, np.float32)), "c.tif")).any()
    with pytest.raises(PictureError, match="not finite"):
        read_grey(saved(Image.fromarray(np.array([[np.nan, 1]], dtype=np.float32)), "n.tif"))


def test_animations_show_their_first_frame(saved: Callable[..., Path]) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    for name, options in (("a.gif", {}), ("a.webp", {"lossless": True}), ("a.png", {}), ("a.tif", {})):
        path = saved(frames[0], name, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_allclose(read_rgb(path)[4, 4], [1, 0, 0], atol=0.01)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (3, 700)])
def test_slivers(saved: Callable[..., Path], size: tuple[int, int]) -> None:
    for name in ("s.png", "s.jpg"):
        path = saved(Image.new("RGB", size, WHITE), name)
        assert read_grey(path).shape == size[::-1]
        small = read_grey(path, at_most=16)
        assert max(small.shape) == min(16, max(size))
        assert min(small.shape) >= 1
        np.testing.assert_allclose(small, 1)


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["o.jpg", "o.tif", "o.png", "o.webp"])
def test_turned_upright(saved: Callable[..., Path], orientation: int, name: str) -> None:
    # EXIF 2.3, tag 274: where row 0 and column 0 of the file lie in the scene, e.g. 6: at its right and at its top.
    scene = np.asarray(quarters())
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.swapaxes(0, 1),
        6: scene.swapaxes(0, 1)[::-1],
        7: scene.swapaxes(0, 1)[::-1, ::-1],
        8: scene.swapaxes(0, 1)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(
        Image.fromarray(np.ascontiguousarray(stored)), name, exif=exif, **({"quality": 95} if name == "o.jpg" else {})
    )
    rgb = read_rgb(path)
    assert rgb.shape == (32, 48, 3)
    np.testing.assert_allclose(corners(rgb), np.array([RED, GREEN, BLUE, WHITE]) / 255, atol=0.06)
    assert read_grey(path, at_most=12).shape == (8, 12)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01", b""])
def test_damaged_exif_is_no_damaged_picture(saved: Callable[..., Path], exif: bytes) -> None:
    assert read_rgb(saved(quarters(), "e.jpg", exif=exif)).shape == (32, 48, 3)


# Size


def test_scaled_down_without_aliases_and_never_up(saved: Callable[..., Path]) -> None:
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (600, 400))
    for name in ("s.png", "s.jpg"):
        grey = read_grey(saved(Image.fromarray(stripes), name), at_most=100)
        assert grey.shape == (75, 100)
        np.testing.assert_allclose(grey[:, 2:-2], 0.5, atol=0.03)
    path = saved(quarters(), "q.png")
    np.testing.assert_array_equal(read_grey(path, at_most=48), read_grey(path))
    np.testing.assert_array_equal(read_grey(path, at_most=1000), read_grey(path))


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_decoded_small_looks_like_one_scaled_down(saved: Callable[..., Path], progressive: bool) -> None:
    rng = np.random.default_rng(3)
    smooth = Image.fromarray(rng.integers(0, 255, (13, 17, 3), dtype=np.uint8)).resize(
        (1111, 803), Image.Resampling.BICUBIC
    )
    path = saved(smooth, "j.jpg", quality=95, progressive=progressive)
    whole = saved(Image.open(path).convert("RGB"), "j.png")
    for read in (read_rgb, read_grey, lambda *given, **options: read_both(*given, **options)[1]):
        small = read(path, at_most=100)
        assert max(small.shape) == 100
        assert np.abs(small - read(whole, at_most=100)).max() < 0.03


# Both at once

STEP = 1 / 255


@pytest.mark.parametrize("name", ["b.png", "b.tif", "b.bmp", "b.ppm", "b.webp", "b.gif", "b.jpg"])
@pytest.mark.parametrize("at_most", [None, 100, 7])
def test_both_are_grey_to_the_last_bit_and_colours_to_a_step(
    saved: Callable[..., Path], name: str, at_most: int | None
) -> None:
    smooth = Image.fromarray(np.random.default_rng(4).integers(0, 255, (9, 13, 3), dtype=np.uint8)).resize((333, 257))
    path = saved(smooth, name, **({"quality": 85} if name == "b.jpg" else {}))
    grey, colours = read_both(path, at_most)
    np.testing.assert_array_equal(grey, read_grey(path, at_most))
    assert colours.shape == (*grey.shape, 3)
    assert colours.dtype == np.float32
    if name == "b.jpg":
        np.testing.assert_allclose(colours, read_rgb(path, at_most), atol=1.01 * STEP)
    else:
        np.testing.assert_array_equal(colours, read_rgb(path, at_most))


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": 0},
        {"subsampling": 2, "progressive": True},
        {"keep_rgb": True},  # stored as red, green and blue, from which the decoder makes no luminance and chroma
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"},  # to be turned
    ],
)
@pytest.mark.parametrize("at_most", [None, 50])
def test_both_of_every_sort_of_jpeg(
    saved: Callable[..., Path], options: dict[str, object], at_most: int | None
) -> None:
    path = saved(quarters(480, 320), "s.jpg", quality=92, **options)
    grey, colours = read_both(path, at_most)
    np.testing.assert_array_equal(grey, read_grey(path, at_most))
    np.testing.assert_allclose(colours, read_rgb(path, at_most), atol=1.01 * STEP)
    assert colours.shape == (*grey.shape, 3)


def test_both_of_what_has_no_colours_or_other_ones(saved: Callable[..., Path]) -> None:
    deep = Image.fromarray(np.array([[0, 40000, 65535]], dtype=np.uint16))
    ink = Image.new("CMYK", (32, 16), (0, 255, 255, 0))
    pale = Image.merge("LA", [Image.new("L", (4, 1), 0), Image.frombytes("L", (4, 1), bytes([0, 51, 204, 255]))])
    for path in (
        saved(deep, "d.png"),
        saved(Image.new("L", (9, 5), 100), "l.jpg"),
        saved(ink, "c.jpg"),
        saved(Image.new("YCbCr", (9, 5), (90, 30, 200)), "y.tif"),
        saved(pale, "la.png"),
    ):
        grey, colours = read_both(path)
        np.testing.assert_array_equal(grey, read_grey(path))
        np.testing.assert_array_equal(colours, read_rgb(path))


def test_a_jpeg_is_decoded_once_for_both(saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(quarters(480, 320), "once.jpg")
    opened: list[object] = []
    plain = Image.open
    monkeypatch.setattr(Image, "open", lambda *given, **options: opened.append(1) or plain(*given, **options))
    read_both(path, 100)
    assert len(opened) == 1


# What is no picture


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_001, 12_000, 50_000])
def test_bombs_are_refused_from_the_header(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    with pytest.raises(PictureError, match=r"bomb\.png claims to hold .* at most 100 million"):
        read_grey(path)


def test_the_limit_is_the_callers(saved: Callable[..., Path]) -> None:
    path = saved(quarters(), "q.png")
    assert read_grey(path, most_pixels=48 * 32).shape == (32, 48)
    with pytest.raises(PictureError, match=r"claims to hold 48 × 32 pixels; at most 0\.001535 million"):
        read_grey(path, most_pixels=48 * 32 - 1)


def test_pillows_own_warning_stays_inside(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (9500, 9500)).save(path)  # between Pillow's limit and ours
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read_grey(path, at_most=10).shape == (10, 10)
    assert not caught


@pytest.mark.parametrize("format_", ["jpg", "png", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_off(saved: Callable[..., Path], format_: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8))
    path = saved(noise, f"cut.{format_}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PictureError, match=rf"cut\.{format_} "):
        read_grey(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        ("Ein Brief.\nÜber Äpfel.".encode(), "is text, not a picture"),
        (b"\n<!DOCTYPE html><html>", "is an HTML page, not a picture"),
        (b"<HTML>", "is an HTML page, not a picture"),
        (bytes(range(256)) * 3, "is not a picture in a format"),
        (b"\xff\xd8\xff", "cannot be decoded|is not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage", "is text, not a picture"),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bild mit Lücke.jpg"
    path.write_bytes(content)
    for read in (read_grey, read_rgb, read_both):
        with pytest.raises(PictureError, match=reason) as caught:
            read(path, at_most=64)
        assert str(caught.value) == f"{path} {caught.value.reason}"
        assert "\n" not in str(caught.value)


def test_damage_anywhere_gives_a_picture_or_one_error(saved: Callable[..., Path]) -> None:
    rng = np.random.default_rng(1)
    for name in ("f.jpg", "f.png", "f.gif", "f.tif", "f.webp", "f.bmp"):
        path = saved(quarters(), name)
        whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(60):
            damaged = whole.copy()
            places = rng.integers(0, min(len(whole), 400), 3)
            damaged[places] = rng.integers(0, 256, 3)
            path.write_bytes(damaged.tobytes())
            try:
                grey = read_grey(path, at_most=32, most_pixels=1_000_000)
            except PictureError:
                continue
            assert np.isfinite(grey).all()
            assert grey.min() >= 0
            assert grey.max() <= 1


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot be opened \\(No such file"):
        read_grey(tmp_path / "absent.jpg")
    with pytest.raises(PictureError, match="is not a file"):
        read_grey(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError, match="is not a file"):
        read_grey(tmp_path / "pipe.jpg")


def test_many_broken_pictures_are_one_sentence() -> None:
    broken = [(Path(f"{n}.jpg"), "is empty") for n in range(5)]
    assert str(several(broken[:1])) == "0.jpg is empty"
    assert str(several(broken[:2])) == "0.jpg is empty; 1.jpg is empty"
    assert str(several(broken)) == "0.jpg is empty; 1.jpg is empty; 2.jpg is empty; and 2 more cannot be read"
