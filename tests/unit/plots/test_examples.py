"""What is drawn of a data set: the pictures are read back from the HTML."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lab.plots.examples import COLUMNS, VIRIDIS, examples_html, examples_info, png, viridis

LABELS = np.array([0, 1, 7])
NAMES = ("zero", "one")


def pictures(html: str, kind: str = "png") -> list[bytes]:
    return [
        b64decode(found)
        for found in re.findall(rf'src="data:image/{re.escape(kind)};base64,([^"]+)"', html)
    ]


def pixels(content: bytes):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize(
    "shape", [(3, 8, 8), (3, 8, 8, 1), (3, 1, 8, 8), (3, 8, 8, 3), (3, 3, 8, 8)]
)
def test_images_of_any_layout(shape):
    info = examples_info(np.linspace(0, 16, int(np.prod(shape))).reshape(shape), LABELS, NAMES)
    assert info.images.shape == (3, 8, 8, 3)
    assert (info.images.min(), info.images.max()) == (0, 255)
    assert info.captions == ("zero", "one", "7")


def test_a_picture_holds_the_pixels_of_its_item():
    items = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3))
    items[0, 0, 0], items[0, 0, 1] = 0, 255
    info = examples_info(items, LABELS)
    for drawn, item in zip(pictures(examples_html(info)), items, strict=True):
        np.testing.assert_array_equal(pixels(drawn), item)


def test_any_size_is_a_valid_png():
    image = np.arange(13 * 2 * 3, dtype=np.uint8).reshape(13, 2, 3)
    np.testing.assert_array_equal(pixels(png(image)), image)


def test_images_of_one_grey_do_not_divide_by_zero():
    assert examples_info(np.zeros((1, 2, 2)), np.array([0])).images.max() == 0


@pytest.mark.parametrize(
    ("show", "shape"), [("image", (3, 5)), ("spectrogram", (3, 5)), ("waveform", (3, 2, 2, 2))]
)
def test_what_cannot_be_drawn_that_way_is_refused(show, shape):
    with pytest.raises(ValueError, match=re.escape(f"Given: {shape}")):
        examples_info(np.zeros(shape), LABELS, show=show)


@pytest.mark.parametrize("flat", [False, True])
def test_time_runs_to_the_right_and_high_frequencies_are_up(flat):
    item = np.zeros((1, 6, 4))
    item[0, 5, 0] = 1.0  # the end, lowest frequency
    given = item.reshape(1, 24) if flat else item
    drawn = examples_info(given, [0], show="spectrogram", show_shape=(6, 4) if flat else ()).images[
        0
    ]
    assert drawn.shape == (4, 6, 3)
    brightest = np.unravel_index(drawn.sum(axis=-1).argmax(), drawn.shape[:2])
    assert brightest == (3, 5)


def test_one_extreme_value_does_not_flatten_a_spectrogram():
    items = np.tile(np.linspace(0, 1, 20), (2, 50, 1))
    items[0, 0, 0] = 1e6
    drawn = examples_info(items, [0, 1], show="spectrogram").images[1]
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 10


def test_the_colours_rise_in_brightness():
    drawn = viridis(np.linspace(0, 1, 50)).astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(drawn) > 0).all()
    assert viridis(np.array([0.0, 1.0])).tolist() == [
        [int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (VIRIDIS[0], VIRIDIS[-1])
    ]


@pytest.mark.parametrize("channels_first", [False, True])
def test_six_channels_are_two_panels_over_their_own_ranges(channels_first):
    time = np.linspace(0, 1, 40)
    item = np.stack([time, -time, 0 * time, 100 * time, -100 * time, 0 * time], axis=-1)[np.newaxis]
    given = item.transpose(0, 2, 1) if channels_first else item
    info = examples_info(np.concatenate([given, given / 2]), [0, 1], show="waveform")
    assert info.waves.shape == (2, 2, 3, 40)
    np.testing.assert_allclose(info.waves[0, 0], info.waves[0, 1])
    assert (info.waves.min(), info.waves.max()) == (0, 1)
    assert np.ptp(info.waves[1, 0]) == pytest.approx(0.5)


def test_a_waveform_is_drawn_with_a_line_for_each_channel():
    items = np.random.default_rng(0).normal(size=(2, 30, 6))
    first, _ = pictures(examples_html(examples_info(items, [0, 1], show="waveform")), "svg+xml")
    lines = ElementTree.fromstring(first).findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6
    assert len({line.get("stroke") for line in lines}) == 3
    assert all(len(line.get("points").split()) == 30 for line in lines)


def test_a_constant_waveform_does_not_divide_by_zero():
    assert np.isfinite(examples_info(np.ones((1, 9, 3)), [0], show="waveform").waves).all()


def test_texts_and_class_names_are_shown_letter_by_letter():
    info = examples_info(np.zeros((1, 4)), [0], ("<i>&",), show="text", texts=("<script>",))
    html = examples_html(info)
    assert "&lt;script&gt;" in html
    assert "&lt;i&gt;&amp;" in html
    assert "<script>" not in html


def test_every_picture_says_what_it_shows():
    info = examples_info(
        np.random.default_rng(0).normal(size=(2, 9, 4)), [1, 0], NAMES, show="spectrogram"
    )
    html = examples_html(info)
    assert re.findall(r'alt="([^"]+)"', html) == ["spectrogram: one", "spectrogram: zero"]
    assert (
        info.alt
        == "Spectrograms, time to the right and high frequencies up, of the classes one, zero"
    )
    assert f'aria-label="{info.alt}"' in html


def test_rows_limit_how_many_are_drawn():
    info = examples_info(np.zeros((20, 4, 4)), np.arange(20))
    assert len(pictures(examples_html(info, rows=1))) == COLUMNS["image"]
    assert len(pictures(examples_html(info))) == 20
    assert "figcaption" not in examples_html(info, captions=False)


@pytest.mark.parametrize(
    ("label", "caption"),
    [(np.int64(1), "one"), (-1, "-1"), (2.5, "2.5"), (np.array([1, 2]), "[1 2]")],
)
def test_labels_that_are_no_class_are_shown_as_they_are(label, caption):
    assert examples_info(np.zeros((1, 2, 2)), [label], NAMES).captions == (caption,)
