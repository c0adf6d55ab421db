"""Rendered photographs of road signs: a scene, a sign in it, a lens and a sensor, all in numpy.

An image depends only on its class and its random generator. Results are rounded to bytes, which
hides the last bits in which CPUs differ. Pictures are arrays of shape (3, y, x), light from 0 to 1;
lengths are in pixels.
"""

from __future__ import annotations

from functools import cache
from math import cos, pi, sin
from typing import TYPE_CHECKING

from lab.datasets._sign_faces import BLUE, FACES, RED, YELLOW, Colour, Face
from lab.lazy import np
from lab.plugs import Array

if TYPE_CHECKING:
    from numpy.random import Generator
else:
    Generator = object

SIDE = 32
MARGIN, SHARPNESS = 2, 2
"""Pixels rendered beyond each edge, so that blur does not wrap around; samples per pixel and
axis.
"""
WIDE = SIDE + 2 * MARGIN
SKY, GREY = (0.9, 0.97, 1.08), (1.0, 1.0, 1.0)
SIGN_COLOURS = (RED, BLUE, YELLOW)


def photograph(rng: Generator, label: int) -> Array:
    """Render one sign, `label` of FACES, in a random outdoor scene; shape (SIDE, SIDE, 3),
    uint8.
    """
    scene = _background(rng).repeat(SHARPNESS, axis=1).repeat(SHARPNESS, axis=2)
    _sign(rng, scene, FACES[label])
    return _sensor(rng, _light(rng, _lens(rng, scene)))


@cache
def _axes(pixels: int, per_pixel: int) -> tuple[Array, Array]:
    """Return x and y of the samples, from the middle, of shapes (1, samples) and (samples, 1)."""
    samples = pixels * per_pixel
    axis = (np.arange(samples) + 0.5 - samples / 2) / per_pixel
    return axis[None, :], axis[:, None]


def _rgb(colour: Colour | Array) -> Array:
    """Return a colour as an array of shape (3, 1, 1)."""
    return np.asarray(colour)[:, None, None]


def _any_colour(rng: Generator, low: float, high: float, spread: float) -> Array:
    """Return a colour at most `spread` from a grey between low and high, shape (3, 1, 1)."""
    return _rgb(rng.uniform(low, high) + rng.uniform(-spread, spread, 3))


def _cover(scene: Array, colour: Array, amount: Array) -> None:
    """Blend a colour (3, 1, 1) over the scene, in place; amount has shape (y, x), 0 to 1."""
    scene += amount * (colour - scene)


def _inside(distance: Array, samples_per_unit: float) -> Array:
    """Return the share of each sample inside a shape, from the signed distance to its edge: smooth
    over one sample.
    """
    return np.clip(0.5 - distance * samples_per_unit, 0.0, 1.0)


def _background(rng: Generator) -> Array:
    """Return sky above ground, texture, boxes of any colour and sometimes one in the colour of a
    sign; one value per pixel.
    """
    x, y = _axes(WIDE, 1)
    scene = np.empty((3, WIDE, WIDE))
    scene[:] = _any_colour(rng, 0.15, 0.5, 0.1)
    horizon = _inside(y - rng.uniform(-0.3, 0.3) * x - rng.uniform(-14, 14), 1.0)
    _cover(scene, _rgb(SKY) * rng.uniform(0.5, 0.95), horizon)
    scene += rng.uniform(0.05, 0.4) * _texture(rng)
    for _ in range(3):
        _cover(scene, _any_colour(rng, 0.2, 0.8, 0.2), _box(rng, x, y))
    if rng.random() < 0.4:
        _cover(scene, _rgb(SIGN_COLOURS[rng.integers(3)]), _box(rng, x, y))
    return scene


def _texture(rng: Generator) -> Array:
    """Return smooth noise around zero, coarse and fine, more in light than in colour; shape (3,
    WIDE, WIDE).
    """
    total = np.zeros((3, WIDE, WIDE))
    for weight, points in ((1.0, 3), (0.7, 6), (0.5, 12)):
        grid = rng.uniform(-1, 1, (1, points, points)) + rng.uniform(-0.2, 0.2, (3, points, points))
        total += weight * (_bilinear(points) @ grid @ _bilinear(points).T)
    return total


@cache
def _bilinear(points: int) -> Array:
    """Return the weight of each of the points at each pixel, shape (WIDE, points)."""
    share: Array = np.clip(
        1 - np.abs(np.linspace(0, points - 1, WIDE)[:, None] - np.arange(points)), 0, 1
    )
    return share


def _box(rng: Generator, x: Array, y: Array) -> Array:
    """Return the share of each pixel covered by a rotated box at a random position."""
    turn = rng.uniform(-0.6, 0.6)
    dx, dy = x - rng.uniform(-18, 18), y - rng.uniform(-18, 18)
    along, across = cos(turn) * dx + sin(turn) * dy, cos(turn) * dy - sin(turn) * dx
    return _inside(
        np.maximum(np.abs(along) - rng.uniform(1, 7), np.abs(across) - rng.uniform(1, 10)), 1.0
    )


def _sign(rng: Generator, scene: Array, face: Face) -> None:
    """Draw post and sign, then objects in front of them."""
    x, y = _axes(WIDE, SHARPNESS)
    radius = rng.uniform(6.5, 13.5)
    dx, dy = x - rng.uniform(-4, 4), y - rng.uniform(-4, 4)
    post = np.maximum(np.abs(dx - rng.uniform(-0.15, 0.15) * dy) - 0.09 * radius, -dy)
    _cover(scene, _rgb(GREY) * rng.uniform(0.25, 0.75), _inside(post, SHARPNESS))
    u, v = _on_plate(rng, dx / radius, dy / radius)
    _paint(rng, scene, face, u, v, radius * SHARPNESS)
    _occlude(rng, scene, u, v, radius * SHARPNESS)


def _on_plate(rng: Generator, x: Array, y: Array) -> tuple[Array, Array]:
    """Return the intersection of the line of sight through each sample with the plate, in the
    plate's coordinates.

    The plate is rolled, then pitched, then yawed about its middle, `far` half-signs from the eye.
    """
    roll, pitch, yaw, far = rng.uniform((-0.22, -0.35, -0.8, 3), (0.22, 0.35, 0.8, 8))
    sa, ca, sb, cb = sin(yaw), cos(yaw), sin(pitch), cos(pitch)
    reach = far * ca * cb / (sa * cb * x - sb * y + ca * cb * far)
    px, py, pz = reach * x, reach * y, (reach - 1) * far
    u, v = ca * px - sa * pz, sa * sb * px + cb * py + ca * sb * pz
    return cos(roll) * u + sin(roll) * v, cos(roll) * v - sin(roll) * u


def _paint(
    rng: Generator, scene: Array, face: Face, u: Array, v: Array, samples_per_unit: float
) -> None:
    """Paint the face on the plate, in colours faded to grey and tinted."""
    fade, tint = rng.uniform(0, 0.45), _any_colour(rng, 0.9, 1.1, 0.07)
    depth = face.plate.distance(u, v)
    areas = [(depth + below, colour) for below, colour in face.bands]
    areas += [(mark.distance(u, v), mark.colour) for mark in face.marks]
    for distance, colour in areas:
        weathered = (_rgb(colour) * (1 - fade) + 0.5 * fade) * tint
        _cover(scene, weathered, _inside(distance, samples_per_unit))


def _occlude(rng: Generator, scene: Array, u: Array, v: Array, samples_per_unit: float) -> None:
    """Draw a twig across some signs; leaves, snow or stickers on some."""
    if rng.random() < 0.35:
        turn = rng.uniform(0, pi)
        twig = np.abs(cos(turn) * u + sin(turn) * v - rng.uniform(-0.8, 0.8)) - rng.uniform(
            0.03, 0.14
        )
        _cover(scene, _any_colour(rng, 0.1, 0.3, 0.08), _inside(twig, samples_per_unit))
    for _ in range(rng.binomial(2, 0.35)):
        du, dv = u - rng.uniform(-0.9, 0.9), v - rng.uniform(-0.9, 0.9)
        blob = np.sqrt(du * du + dv * dv * rng.uniform(0.6, 2.5)) - rng.uniform(0.15, 0.45)
        _cover(scene, _any_colour(rng, 0.15, 0.85, 0.15), _inside(blob, samples_per_unit))


def _lens(rng: Generator, scene: Array) -> Array:
    """Average to pixels, then apply defocus and motion blur by their transfer functions; shape (3,
    SIDE, SIDE).
    """
    pixels = scene.reshape(3, WIDE, SHARPNESS, WIDE, SHARPNESS).mean(axis=(2, 4))
    width, length, turn = rng.uniform(0.3, 1.2), 4 * rng.random() ** 2, rng.uniform(0, pi)
    fx, fy = np.fft.rfftfreq(WIDE), np.fft.fftfreq(WIDE)[:, None]
    transfer = np.exp(-2 * (pi * width) ** 2 * (fx * fx + fy * fy)) * np.sinc(
        length * (cos(turn) * fx + sin(turn) * fy)
    )
    blurred: Array = np.fft.irfft2(np.fft.rfft2(pixels) * transfer)
    return blurred[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _light(rng: Generator, picture: Array) -> Array:
    """Apply a gradient, a shadow across some pictures, mist, and strength and colour of the
    light.
    """
    x, y = _axes(SIDE, 1)
    light = 1 + (rng.uniform(-0.5, 0.5) * x + rng.uniform(-0.5, 0.5) * y) / SIDE
    if rng.random() < 0.35:
        turn = rng.uniform(0, 2 * pi)
        edge = cos(turn) * x + sin(turn) * y - rng.uniform(-8, 8)
        light = light * (1 - rng.uniform(0.3, 0.65) * _inside(edge, 0.5))
    mist = 0.5 * rng.random() ** 2
    misty = picture * light * (1 - mist) + rng.uniform(0.4, 0.8) * mist
    return misty * _any_colour(rng, 0.45, 1.2, 0.05)


def _sensor(rng: Generator, picture: Array) -> Array:
    """Add noise, more of it in the dark, and round to bytes."""
    noise = rng.uniform(0.005, 0.05) * rng.standard_normal(picture.shape)
    noisy = np.clip(picture + noise * (1.3 - np.clip(picture, 0, 1)), 0, 1)
    return np.moveaxis(np.rint(noisy * 255).astype(np.uint8), 0, -1)
