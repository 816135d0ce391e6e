"""Drawn village scenes that can be photographed again: other light, other noise, another step of the camera.

A scene has layers at different depths, so that a camera that moves shows parallax, as two honest exposures do.
Everything comes from a seed. What is measured on these pictures is measured on drawings, and the text says so.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageOps

WIDTH, HEIGHT = 720, 540
MARGIN = 60
_W, _H = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN


@dataclass(frozen=True)
class Exposure:
    """How one picture is taken; lengths in pixels of the nearest layer, angles in degrees."""

    dx: float = 0.0
    dy: float = 0.0
    zoom: float = 1.0
    turn: float = 0.0
    gain: float = 1.0
    gamma: float = 1.0
    warmth: float = 0.0
    slope: float = 0.0
    shadows: float = 0.0
    noise: float = 3.0
    quality: int = 88


def fractal(rng, height, width, rough=0.55, first=3):
    """Noise with detail at all sizes, mean 0, standard deviation about 1."""
    half = (width // 2, height // 2)
    total = np.zeros(half[::-1], np.float32)
    weight, cells = 1.0, first
    while cells < max(half):
        small = rng.normal(0, 1, (max(2, cells * height // width), cells)).astype(np.float32)
        total += weight * np.asarray(Image.fromarray(small).resize(half, Image.Resampling.BICUBIC))
        weight *= rough
        cells *= 2
    return np.asarray(Image.fromarray(total / (total.std() + 1e-6)).resize((width, height), Image.Resampling.BILINEAR))


def _textured(image, rng, strength, rough=0.55):
    pixels = np.asarray(image).astype(np.float32)
    pixels[..., :3] *= (1 + strength * fractal(rng, *pixels.shape[:2], rough))[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), image.mode)


def _colour(rng, low, high):
    return (*rng.integers(low, high, 3).tolist(), 255)


class Scene:
    """One place: layers from far to near, each with its depth, and the object that will be gone."""

    def __init__(self, seed, size=1.0):
        self.rng = np.random.default_rng([7, seed])
        self.horizon = int(_H * self.rng.uniform(0.3, 0.5))
        self.layers = [(math.inf, self._sky()), (6.0, self._trees()), (3.0, self._ground()), (2.5, self._houses())]
        self.thing = (1.7, self._thing(size))
        if self.rng.random() < 0.5:
            self.layers.append((1.0, self._poles()))

    def _blank(self):
        image = Image.new("RGBA", (_W, _H))
        return image, ImageDraw.Draw(image)

    def _sky(self):
        rng = self.rng
        low, high = rng.integers(150, 240, 3), rng.integers(120, 220, 3)
        ramp = np.linspace(0, 1, _H)[:, None, None]
        pixels = np.broadcast_to(high * (1 - ramp) + low * ramp, (_H, _W, 3))
        pixels = pixels + rng.uniform(2, 22) * fractal(rng, _H, _W)[..., None]
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGBA")

    def _trees(self):
        image, pen = self._blank()
        rng = self.rng
        base = _colour(rng, 50, 130)
        pen.rectangle([0, self.horizon - 12, _W, self.horizon + 30], fill=base)
        for _ in range(int(rng.integers(6, 60))):
            x, r = rng.uniform(0, _W), rng.uniform(8, 60)
            y = self.horizon - rng.uniform(-0.2, 1.1) * r
            pen.ellipse([x - r, y - r, x + r, y + r], fill=_colour(rng, 40, 140))
        return _textured(image, rng, 0.25, 0.8)

    def _ground(self):
        image, pen = self._blank()
        rng = self.rng
        pen.rectangle([0, self.horizon + 15, _W, _H], fill=_colour(rng, 90, 190))
        if rng.random() < 0.7:
            x, far, near = rng.uniform(0.2, 0.8) * _W, rng.uniform(10, 60), rng.uniform(120, 320)
            foot = x + rng.uniform(-200, 200)
            pen.polygon(
                [(x - far, self.horizon + 15), (x + far, self.horizon + 15), (foot + near, _H), (foot - near, _H)],
                fill=_colour(rng, 140, 215),
            )
        for _ in range(int(rng.integers(20, 300))):
            x, y = rng.uniform(0, _W), rng.uniform(self.horizon + 20, _H)
            r = rng.uniform(1, 9) * (y / _H)
            pen.ellipse([x - 2 * r, y - r, x + 2 * r, y + r], fill=_colour(rng, 60, 210))
        return _textured(image, rng, rng.uniform(0.05, 0.3), 0.85)

    def _houses(self):
        image, pen = self._blank()
        rng = self.rng
        for _ in range(int(rng.integers(1, 5))):
            w, h = rng.uniform(110, 330), rng.uniform(80, 250)
            left, foot = rng.uniform(-80, _W - 60), self.horizon + rng.uniform(20, 150)
            wall, roof = _colour(rng, 110, 235), _colour(rng, 50, 150)
            pen.rectangle([left, foot - h, left + w, foot], fill=wall)
            pen.polygon(
                [(left - 14, foot - h), (left + w * rng.uniform(0.1, 0.5), foot - h - rng.uniform(10, 80)),
                 (left + w + 14, foot - h)], fill=roof)  # fmt: skip
            for k in range(int(rng.integers(0, 7))):
                pen.line([(left, foot - h * k / 7), (left + w, foot - h * k / 7)], fill=roof, width=1)
            for _ in range(int(rng.integers(1, 6))):
                x, y = left + rng.uniform(0.05, 0.8) * w, foot - rng.uniform(0.3, 0.9) * h
                pen.rectangle([x, y, x + 0.14 * w, y + 0.25 * h], fill=_colour(rng, 30, 130), outline=wall)
        return _textured(image, rng, rng.uniform(0.03, 0.15), 0.8)

    def _poles(self):
        image, pen = self._blank()
        rng = self.rng
        for _ in range(int(rng.integers(1, 3))):
            x, tone = rng.uniform(0, _W), _colour(rng, 60, 150)
            pen.rectangle([x, rng.uniform(0, 150), x + rng.uniform(5, 16), _H], fill=tone)
            pen.line([(0, rng.uniform(20, 200)), (x, 60), (_W, rng.uniform(20, 200))], fill=(50, 50, 50, 255), width=2)
        return image

    def _thing(self, size):
        """A heap, a pool, a sty or a shed: 2 to 12 % of the frame at ``size`` 1."""
        image, pen = self._blank()
        rng = self.rng
        area = size * rng.uniform(0.02, 0.12) * WIDTH * HEIGHT
        w = math.sqrt(area * rng.uniform(0.8, 2.5))
        h = area / w
        x, y = rng.uniform(0.2, 0.8) * _W, rng.uniform(0.55, 0.8) * _H
        kind = rng.integers(3)
        if kind == 0:
            pen.ellipse([x - w / 2, y - h / 2, x + w / 2, y + h / 2], fill=_colour(rng, 30, 90))
        elif kind == 1:
            pen.rectangle([x - w / 2, y - h / 2, x + w / 2, y + h / 2], fill=_colour(rng, 60, 200))
            pen.rectangle([x - w / 4, y - h / 4, x, y + h / 2], fill=_colour(rng, 20, 80))
        else:
            for _ in range(int(rng.integers(40, 160))):
                cx, cy = x + rng.normal(0, w / 4), y + rng.normal(0, h / 4)
                r = rng.uniform(0.03, 0.1) * w
                corners = [
                    (cx + r * math.cos(a + k), cy + r * math.sin(a + k)) for k, a in enumerate(rng.uniform(0, 2, 5))
                ]
                pen.polygon(corners, fill=_colour(rng, 30, 240))
        return _textured(image, rng, 0.15, 0.8)

    def take(self, exposure, *, thing=True, seed=0, frame=0):
        """A photograph as an RGB image of WIDTH by HEIGHT; ``seed`` draws its light, ``frame`` the sensor's noise."""
        rng = np.random.default_rng([11, seed])
        layers = list(self.layers)
        if thing:
            layers.insert(4, self.thing)
        view = Image.new("RGBA", (_W, _H))
        for depth, layer in layers:
            shift = (exposure.dx / depth, exposure.dy / depth)
            moved = layer.transform(
                (_W, _H), Image.Transform.AFFINE, (1, 0, shift[0], 0, 1, shift[1]), Image.Resampling.BILINEAR
            ) if any(shift) else layer  # fmt: skip
            view.alpha_composite(moved)
        window = _frame(view.convert("RGB"), exposure)
        return _lit(window, exposure, rng, np.random.default_rng([13, seed, frame]))


def _frame(view, exposure):
    """The camera's window of a view: turned and zoomed about its middle."""
    a, z = math.radians(exposure.turn), 1 / exposure.zoom
    cos, sin = math.cos(a) * z, math.sin(a) * z
    cx, cy = view.width / 2, view.height / 2
    width, height = view.width - 2 * MARGIN, view.height - 2 * MARGIN
    matrix = (cos, sin, cx - cos * width / 2 - sin * height / 2, -sin, cos, cy + sin * width / 2 - cos * height / 2)
    return view.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)


def _lit(window, exposure, rng, grain):
    """The window under other light, with the noise of another exposure."""
    pixels = np.asarray(window).astype(np.float32) / 255
    height, width = pixels.shape[:2]
    pixels = pixels**exposure.gamma * exposure.gain
    pixels *= np.float32([1 + exposure.warmth, 1, 1 - exposure.warmth])
    angle = rng.uniform(0, 2 * math.pi)
    across = np.linspace(-0.5, 0.5, width)[None] * math.cos(angle) + np.linspace(-0.5, 0.5, height)[:, None] * math.sin(
        angle
    )
    shade = 1 + exposure.slope * across
    if exposure.shadows:
        shade = shade * (1 - exposure.shadows / (1 + np.exp(-6 * fractal(rng, height, width, 0.5, 2))))
    pixels *= shade[..., None].astype(np.float32)
    pixels += grain.normal(0, exposure.noise / 255, pixels.shape).astype(np.float32)
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def honest_exposure(rng):
    """How a second picture of the same place is taken by hand on another day: never quite the same.

    The camera steps by 0.3 to 4 % of the frame's width, turns by up to 1.5 degrees, zooms by up to 3 %; light differs
    in strength, curve, colour, direction and shadows.
    """
    step, way = rng.uniform(0.003, 0.04) * WIDTH, rng.uniform(0, 2 * math.pi)
    return Exposure(
        dx=step * math.cos(way),
        dy=0.6 * step * math.sin(way),
        zoom=float(np.exp(np.clip(rng.normal(0, 0.012), -0.03, 0.03))),
        turn=float(np.clip(rng.normal(0, 0.6), -1.5, 1.5)),
        gain=float(np.exp(rng.uniform(-0.25, 0.25))),
        gamma=float(np.exp(rng.uniform(-0.2, 0.2))),
        warmth=rng.uniform(-0.06, 0.06),
        slope=rng.uniform(0.0, 0.3),
        shadows=rng.uniform(0.0, 0.3),
        noise=rng.uniform(1, 6),
        quality=int(rng.integers(75, 95)),
    )


def nearly_same_exposure(rng):
    """The hardest honest case: a tripod, the same hour, the same settings; only noise and a hair's breadth differ."""
    return Exposure(
        dx=rng.uniform(-2, 2),
        dy=rng.uniform(-1, 1),
        gain=float(np.exp(rng.uniform(-0.05, 0.05))),
        slope=rng.uniform(0, 0.05),
        noise=rng.uniform(1, 4),
        quality=int(rng.integers(75, 95)),
    )


EDITS = ("crop", "mirror", "quality", "scale")


def edited(image, edits, rng):
    """The same exposure after ``edits``: what somebody does to a picture who wants to use it twice.

    Crops keep 60 to 95 % of the area at any place, sides between 60 and 100 %; JPEG quality 40 to 90; scale 0.5 to 2.
    """
    if "crop" in edits:
        keep = rng.uniform(0.6, 0.95)
        wide = math.exp(rng.uniform(math.log(keep), 0))
        width, height = round(image.width * wide), round(image.height * keep / wide)
        left, top = rng.integers(0, image.width - width + 1), rng.integers(0, image.height - height + 1)
        image = image.crop((left, top, left + width, top + height))
    if "mirror" in edits:
        image = ImageOps.mirror(image)
    if "scale" in edits:
        factor = math.exp(rng.uniform(math.log(0.5), math.log(2)))
        kind = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)[rng.integers(3)]
        image = image.resize((round(image.width * factor), round(image.height * factor)), kind)
    return jpeg(image, int(rng.integers(40, 91)) if "quality" in edits else 92)


def jpeg(image, quality):
    """The picture once through JPEG."""
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=quality)
    stream.seek(0)
    return Image.open(stream).convert("RGB")
