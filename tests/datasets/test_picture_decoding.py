"""Picture files as squares of bytes: every kind of file that people have, against Pillow's own decoding or by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tlbench.datasets import picture_decoding
from tlbench.datasets.picture_decoding import UndecodableError, decode_square, measure, no_remarks

DRAW = np.random.default_rng(0)
COLOURS = DRAW.integers(0, 256, (8, 8, 3)).astype(np.uint8)
GREYS = DRAW.integers(0, 256, (8, 8)).astype(np.uint8)


def encoded(image, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth(width, height):
    """A picture that a JPEG keeps nearly as it is: red grows to the right, green downwards."""
    down, across = np.mgrid[:height, :width]
    red, green = across * 255 / (width - 1), down * 255 / (height - 1)
    return Image.fromarray(np.stack([red, green, np.full_like(red, 90.0)], axis=2).astype(np.uint8))


def test_a_picture_of_the_right_size_is_taken_as_it_is():
    square = decode_square(encoded(Image.fromarray(COLOURS)), 8)
    assert square.exact
    assert np.array_equal(square.pixels, COLOURS)
    square = decode_square(encoded(Image.fromarray(GREYS)), 8)
    assert square.pixels.shape == (8, 8, 1)
    assert np.array_equal(square.pixels[..., 0], GREYS)
    data = encoded(smooth(8, 8), "JPEG")
    assert np.array_equal(decode_square(data, 8).pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_whole_factors_are_means_of_the_middle_square():
    wide = DRAW.integers(0, 256, (8, 12, 3)).astype(np.uint8)
    square = decode_square(encoded(Image.fromarray(wide)), 4)
    middle = wide[:, 2:10].reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    assert not square.exact
    assert np.abs(square.pixels - middle).max() <= 0.5


def test_other_sizes_show_the_middle_and_small_ones_are_enlarged():
    square = decode_square(encoded(smooth(120, 60), "JPEG", quality=95), 10).pixels.astype(float)
    left, right = square[:, 0, 0].mean(), square[:, -1, 0].mean()
    assert abs(left - 255 * 33 / 119) < 6  # the middle of the leftmost of ten parts of columns 30…90
    assert abs(right - 255 * 87 / 119) < 6
    assert abs(square[0, :, 1].mean() - 255 * 2.5 / 59) < 6
    large = decode_square(encoded(Image.fromarray(GREYS[:2, :2])), 16).pixels
    assert large.shape == (16, 16, 1)
    assert np.array_equal(large[[0, 0, -1, -1], [0, -1, 0, -1], 0], GREYS[:2, :2].ravel())


def test_a_big_jpeg_is_what_it_is_without_the_coarse_scaling():
    data = encoded(smooth(640, 640), "JPEG", quality=95)
    whole = Image.open(io.BytesIO(data)).resize((16, 16), Image.Resampling.BOX)
    assert np.abs(decode_square(data, 16).pixels.astype(int) - np.asarray(whole)).max() <= 4


def test_sixteen_bits_are_scaled_by_their_range():
    wide = (GREYS.astype(np.uint16) << 8) + 17
    square = decode_square(encoded(Image.fromarray(wide)), 8).pixels
    assert np.array_equal(square[..., 0], np.rint(wide / 257).astype(np.uint8))
    floats = decode_square(encoded(Image.fromarray(np.array([[0, 0.5], [0.2, 1]], np.float32)), "TIFF"), 2).pixels
    assert floats.ravel().tolist() == [0, 128, 51, 255]
    below = decode_square(encoded(Image.fromarray(np.array([[-1, 0], [1, 3]], np.float32)), "TIFF"), 2).pixels
    assert below.ravel().tolist() == [0, 64, 128, 255]
    with pytest.raises(UndecodableError, match="not finite"):
        decode_square(encoded(Image.fromarray(np.array([[np.nan, 0], [1, 3]], np.float32)), "TIFF"), 2)


def test_cmyk_becomes_colour():
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    pixels = decode_square(encoded(cyan, "JPEG", quality=95), 8).pixels
    assert pixels.shape == (8, 8, 3)
    assert np.abs(pixels[4, 4].astype(int) - [0, 255, 255]).max() < 12


def test_what_is_transparent_lies_on_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((0, 0), 0)
    pixels = decode_square(encoded(palette, transparency=1), 4).pixels
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[3, 3].tolist() == [255, 255, 255]
    half = Image.new("LA", (4, 4), (0, 0))
    assert decode_square(encoded(half), 4).pixels.tolist() == np.full((4, 4, 1), 255).tolist()
    clear = Image.new("RGBA", (4, 4), (9, 8, 7, 255))
    assert decode_square(encoded(clear), 4).pixels[0, 0].tolist() == [9, 8, 7]


def test_one_bit_is_grey():
    assert decode_square(encoded(Image.new("1", (4, 4), 1)), 4).pixels.tolist() == np.full((4, 4, 1), 255).tolist()


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_square(data, 8).pixels[4, 4].tolist() == [255, 0, 0]


def test_the_side_that_is_up_is_up():
    note = Image.Exif()
    note[0x0112] = 6  # turned a quarter to the left by the camera
    data = encoded(Image.fromarray(COLOURS), exif=note)
    assert np.array_equal(decode_square(data, 8).pixels, np.rot90(COLOURS, -1))
    data = encoded(smooth(120, 60), "JPEG", exif=note, quality=95)
    square = decode_square(data, 60).pixels.astype(float)
    assert square[0, :, 0].mean() < square[-1, :, 0].mean() - 80  # red grew to the right, and now downwards


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"this is no picture", "is not a picture that can be read"),
        (b"", "is not a picture that can be read"),
        (encoded(smooth(64, 64), "JPEG")[:-200], "cannot be decoded .*truncated"),
        (encoded(Image.fromarray(COLOURS))[:-60], "cannot be decoded"),
    ],
)
def test_what_is_no_whole_picture_is_said(data, says):
    with pytest.raises(UndecodableError, match=says), no_remarks():
        decode_square(data, 8)


def test_a_picture_that_claims_too_much_is_not_decoded(monkeypatch):
    monkeypatch.setattr(picture_decoding, "MOST_PIXELS", 63)
    with pytest.raises(UndecodableError, match="claims to hold 8 × 8 pixels, and 63 are the most"):
        decode_square(encoded(Image.fromarray(GREYS)), 8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UndecodableError, match="far more pixels"):
        decode_square(encoded(Image.fromarray(GREYS)), 8)


def test_a_head_tells_the_size(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(encoded(smooth(300, 200), "JPEG")[:1000])
    assert measure(path) == (300, 200)
    for wrong in (b"no", b""):
        path.write_bytes(wrong)
        with pytest.raises(UndecodableError, match="not a picture"):
            measure(path)
