"""Finds pictures that are the same exposure as another one: cropped, mirrored, scaled or compressed anew.

A fingerprint is a small grey picture and up to `MARKS` marks: spots that stand out, each with a 32-bit code of what is
around it. Search goes in three steps, from cheap to sure:

1. photos that share many codes with the query are shortlisted by an inverted index. The query is looked at in
   `SCALES` sizes; a mirrored mark is the same code with some bits flipped, so mirroring costs nothing;
2. the marks of a shortlisted photo must lie as those of the query do, under one scale and one shift;
3. the two grey pictures are laid over each other, fitted to a fraction of a pixel and in brightness, and what is left
   is measured block by block.

The third step tells a copy from an honest second exposure: a copy agrees everywhere, while a picture taken anew from
the same spot differs somewhere, by the object that is gone, by light, noise or parallax. The thresholds come from
pictures drawn from seeds and a few real photographs (``benchmarks/likeness.py`` measures them again). Likeness alone
never refuses anything: it asks a person to look.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

VERSION = 1
"""Raised whenever fingerprints of old and new code can't be compared."""
AREA = 128 * 96
"""Pixels of the grey picture, whatever its shape: so a crop that keeps 60 % is at most 1.29 times larger in it."""
MARKS = 64
LIKE = 0.5
"""From this likeness on, a person is asked."""

SCALES = (1 / 1.29, 1 / 1.19, 1 / 1.09, 1.0, 1.09, 1.19, 1.29)
_PATCH, _FREQUENCIES, _BITS = 16, 6, 32
_KEY_BITS = 16
_FINE, _COARSE, _FAINTEST = 1.3, 2.6, 1.0
_BORDER = 4
_SHORTLIST, _FEWEST_VOTES = 24, 4
_BIT_ERRORS, _NEAR_PX, _FEWEST_MARKS = 5, 3.0, 6
_VIEWS, _STIFF = 3, 1_000.0
_LOOKED_AT = 8
_STEPS, _ENOUGH, _HOPELESS = 8, 3, 0.2
_SOFT, _LENS = 1.5, 0.36
"""Blur under which two pictures are compared, and that of the grey picture itself; pixels, standard deviation."""
_BLOCK, _MARGIN = 8, 5
_WORST, _COMMON = 1.0, 0.15
"""What the worst block, and three quarters of the blocks, may differ by in a copy (see `_difference`)."""
_WHOLE = 0.97
_TAIL = 2_000

Grey = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.uint32]
MARK = np.dtype([("code", "<u4"), ("x", "<u2"), ("y", "<u2")])


class Relation(StrEnum):
    """How a picture relates to one that is like it."""

    SAME = "same"
    CROP = "crop"
    """One shows a part of the other."""
    MIRROR = "mirror"
    MIRROR_CROP = "mirror_crop"
    CHANGED = "changed"
    """Most of it is the same exposure, some part isn't: a stamp, a sticker, something painted over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is kept of a photo to find it again, about 13 kB.

    ``grey`` holds ``height`` rows of ``width`` bytes; ``marks`` up to `MARKS` records of `MARK` (code, x, y in pixels
    of ``grey``), the strongest first. A picture without detail has none, and is found by its exact bytes only.
    """

    width: int
    height: int
    grey: bytes
    marks: bytes
    version: int = VERSION


class Likeness(NamedTuple):
    """A photo that is like another: ``likeness`` from 0 to 1, `LIKE` being where a person is asked."""

    id: str
    likeness: float
    relation: Relation


class _Marks(NamedTuple):
    """Marks of one picture: codes, and positions in its pixels; shape (n,)."""

    codes: Codes
    x: Grey
    y: Grey


class _Fit(NamedTuple):
    """``theirs(scale * x + shift)`` lies on ``ours(x)``, per axis (x, y), ours mirrored or not."""

    agreeing: int
    mirrored: bool
    scale: tuple[float, float]
    shift: tuple[float, float]


def _cosines() -> tuple[Grey, np.uint32]:
    """Basis of the codes, shape (256, 32), and the bits that mirroring flips (odd frequencies across)."""
    steps = (np.arange(_PATCH) + 0.5) / _PATCH * np.pi
    waves = np.cos(steps[None] * np.arange(_FREQUENCIES)[:, None])
    pairs = [(down, across) for down in range(_FREQUENCIES) for across in range(_FREQUENCIES)][1:]
    pairs = sorted(pairs, key=lambda pair: (sum(pair), pair))[:_BITS]
    basis = np.stack([np.outer(waves[down], waves[across]).ravel() for down, across in pairs], 1)
    return basis.astype(np.float32), np.uint32(sum(1 << bit for bit, pair in enumerate(pairs) if pair[1] % 2))


_BASIS, _MIRROR = _cosines()
_POWERS = np.uint32(1) << np.arange(_BITS, dtype=np.uint32)


def fingerprint(image: Image.Image) -> Fingerprint:
    """The fingerprint of a picture that stands upright (its EXIF orientation applied)."""
    shrink = (AREA / (image.width * image.height)) ** 0.5
    size = (min(max(round(image.width * shrink), _PATCH), 4096), min(max(round(image.height * shrink), _PATCH), 4096))
    small = image.convert("L").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    found = _marks(np.asarray(small, np.float32), 1.0)
    marks = np.empty(len(found.codes), MARK)
    marks["code"], marks["x"], marks["y"] = found
    return Fingerprint(width=size[0], height=size[1], grey=small.tobytes(), marks=marks.tobytes())


def compare(ours: Fingerprint, theirs: Fingerprint) -> tuple[float, Relation]:
    """Likeness of two photos (before and after, say), 0 to 1, and how they relate (meaningless below `LIKE`)."""
    return _Query(ours).compared(theirs)


class LikenessIndex:
    """Photos by their marks, in memory: about 0.4 kB each; their grey pictures stay where they are kept.

    Parameters
    ----------
    ids
        Names of the photos.
    marks
        ``Fingerprint.marks`` of each, in the same order.
    look_up
        Gives the whole fingerprints of a few ids; one that is gone may be left out.
    """

    def __init__(
        self,
        ids: Iterable[str],
        marks: Iterable[bytes],
        look_up: Callable[[Sequence[str]], Mapping[str, Fingerprint]],
    ) -> None:
        self.ids: list[str] = []
        self.look_up = look_up
        self._codes: list[npt.NDArray[np.uint16]] = []
        self._sorted = 0
        self._rows = np.empty(0, np.uint32)
        self._starts = np.zeros((1 << _KEY_BITS) + 1, np.int64)
        for name, blob in zip(ids, marks, strict=True):
            self._append(name, blob)
        self._sort()

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, name: str, marks: bytes) -> None:
        """One more photo, found from now on."""
        self._append(name, marks)
        if len(self.ids) - self._sorted > _TAIL:
            self._sort()

    def nearest(self, photo: Fingerprint, limit: int = 5, *, least: float = LIKE) -> list[Likeness]:
        """Up to ``limit`` photos whose likeness is at least ``least``, the most alike first."""
        query = _Query(photo)
        names = [self.ids[row] for row in self._shortlist(query.keys())]
        found = self.look_up(names)
        fits = [(query.fit(found[name]), name) for name in names if name in found]
        fits.sort(key=lambda pair: -pair[0].agreeing)
        likes = [Likeness(name, *query.overlaid(found[name], fit)) for fit, name in fits[:_LOOKED_AT]]
        return sorted((like for like in likes if like.likeness >= least), key=lambda like: -like.likeness)[:limit]

    def _append(self, name: str, marks: bytes) -> None:
        self.ids.append(name)
        self._codes.append(np.unique(np.frombuffer(marks, MARK)["code"].astype(np.uint16)))

    def _sort(self) -> None:
        """Take what was added lately into the inverted index: photos by key."""
        fresh = self._codes
        rows = np.repeat(np.arange(self._sorted, len(self.ids), dtype=np.uint32), [len(codes) for codes in fresh])
        old_keys = np.repeat(np.arange(1 << _KEY_BITS, dtype=np.uint32), np.diff(self._starts)).astype(np.uint16)
        keys = np.concatenate([old_keys, *fresh])
        order = np.argsort(keys, kind="stable")
        self._rows = np.concatenate([self._rows, rows])[order]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << _KEY_BITS))])
        self._sorted, self._codes = len(self.ids), []

    def _shortlist(self, keys: npt.NDArray[np.uint16]) -> list[int]:
        """Rows of the photos that share most keys with the query."""
        # what is everywhere tells nothing, and costs most
        most = 500 + self._sorted // 50
        spans = zip(self._starts[keys], self._starts[keys.astype(np.int64) + 1], strict=True)
        hits = [self._rows[start:end] for start, end in spans if end - start <= most]
        votes = np.bincount(np.concatenate([*hits, np.empty(0, np.uint32)]), minlength=len(self.ids))
        if self._codes:
            asked = np.zeros(1 << _KEY_BITS, bool)
            asked[keys] = True
            votes[self._sorted :] = [np.count_nonzero(asked[codes]) for codes in self._codes]
        count = min(_SHORTLIST, len(votes))
        best = np.argpartition(votes, len(votes) - count)[len(votes) - count :] if count else np.empty(0, np.int64)
        return [int(row) for row in best if votes[row] >= _FEWEST_VOTES]


class _Query:
    """A photo that others are held against: its marks in all sizes, found once."""

    def __init__(self, photo: Fingerprint) -> None:
        self.grey = _grey(photo)
        self.views = [_marks(self.grey, scale) for scale in SCALES]
        codes = [codes for view in self.views for codes in (view.codes, view.codes ^ _MIRROR)]
        self.codes = np.concatenate(codes)
        # where each size begins, unmirrored and mirrored; the end too
        self.starts = np.cumsum([0, *map(len, codes)])

    def keys(self) -> npt.NDArray[np.uint16]:
        """All keys that a like photo may have, each once."""
        return np.unique(self.codes.astype(np.uint16))

    def compared(self, theirs: Fingerprint) -> tuple[float, Relation]:
        """Likeness to one photo."""
        return self.overlaid(theirs, self.fit(theirs))

    def fit(self, theirs: Fingerprint) -> _Fit:
        """The scale, side and shift under which most marks agree."""
        marks = np.frombuffer(theirs.marks, MARK)
        if not len(marks):
            return _Fit(0, False, (1.0, 1.0), (0.0, 0.0))
        apart = np.bitwise_count(self.codes[:, None] ^ marks["code"])
        known = np.concatenate([[0], np.cumsum(apart.min(1) <= _BIT_ERRORS)])[self.starts]
        likely = np.argsort(-np.diff(known), kind="stable")[:_VIEWS]
        fits = [self._agreed(row, apart[self.starts[row] : self.starts[row + 1]], marks) for row in likely.tolist()]
        return max(fits, key=lambda fit: fit.agreeing)

    def _agreed(self, row: int, apart: npt.NDArray[np.uint8], marks: npt.NDArray[np.void]) -> _Fit:
        """The scale and shift on which most pairs of marks agree, in one size and side."""
        view, mirrored = self.views[row // 2], bool(row % 2)
        height, width = (round(length * SCALES[row // 2]) for length in self.grey.shape)
        sizes = (width / self.grey.shape[1], height / self.grey.shape[0])
        left, right = np.nonzero(apart <= _BIT_ERRORS)
        x, y = width - 1 - view.x[left] if mirrored else view.x[left], view.y[left]
        across, down = marks["x"][right] - x, marks["y"][right] - y
        near = (np.abs(across[:, None] - across) <= _NEAR_PX) & (np.abs(down[:, None] - down) <= _NEAR_PX)
        if not near.size:
            return _Fit(0, mirrored, sizes, (0.0, 0.0))
        agreeing = near[near.sum(1).argmax()]
        scale_x, shift_x = _line((x[agreeing] + 0.5) / sizes[0] - 0.5, marks["x"][right[agreeing]], sizes[0])
        scale_y, shift_y = _line((y[agreeing] + 0.5) / sizes[1] - 0.5, marks["y"][right[agreeing]], sizes[1])
        return _Fit(len(np.unique(left[agreeing])), mirrored, (scale_x, scale_y), (shift_x, shift_y))

    def overlaid(self, theirs: Fingerprint, fit: _Fit) -> tuple[float, Relation]:
        """Likeness by what is left when one picture is laid over the other."""
        if fit.agreeing < _FEWEST_MARKS:
            return 0.0, Relation.SAME
        ours, other = self.grey[:, ::-1] if fit.mirrored else self.grey, _grey(theirs)
        fine = _refined(ours, other, fit)
        left = _residual(ours, other, fine) if fine else None
        if fine is None or left is None:
            return 0.0, Relation.SAME
        worst, common = _difference(*left)
        likeness = 1 / (1 + min(worst / _WORST, common / _COMMON))
        return likeness, _relation(fine, ours.shape, other.shape, changed=worst > _WORST)


def _relation(fit: _Fit, ours: tuple[int, ...], theirs: tuple[int, ...], *, changed: bool) -> Relation:
    """What the fit says about the pair; shapes are (height, width)."""
    if changed:
        return Relation.CHANGED
    shares = [1.0, 1.0]
    for axis, (mine, other) in enumerate(zip(ours[::-1], theirs[::-1], strict=True)):
        scale, shift = fit.scale[axis], fit.shift[axis]
        common = min(other, shift + scale * mine) - max(0.0, shift)
        shares = [shares[0] * common / (scale * mine), shares[1] * common / other]
    part = min(shares) < _WHOLE
    if fit.mirrored:
        return Relation.MIRROR_CROP if part else Relation.MIRROR
    return Relation.CROP if part else Relation.SAME


def _line(ours: Grey, theirs: npt.NDArray[np.integer[Any]], size: float) -> tuple[float, float]:
    """Scale and shift that take ``ours`` to ``theirs``; the scale stays near ``size``, where few marks say more."""
    middle = ours.mean()
    spread = float(np.square(ours - middle).sum()) + _STIFF
    scale = (float(((ours - middle) * (theirs - theirs.mean())).sum()) + _STIFF * size) / spread
    return scale, float(theirs.mean() - scale * middle)


def _grey(photo: Fingerprint) -> Grey:
    return np.frombuffer(photo.grey, np.uint8).reshape(photo.height, photo.width).astype(np.float32)


@lru_cache(maxsize=256)
def _softening(length: int, scale: float, sigma: float) -> Grey:
    """Matrix that resamples a row of ``length`` pixels by ``scale`` under a Gaussian of ``sigma`` new pixels."""
    places = (np.arange(round(length * scale)) + 0.5) / (round(length * scale) / length) - 0.5
    return _gaussians(places, length, sigma / scale)


def _gaussians(places: Grey, length: int, sigma: float) -> Grey:
    """Weights of ``length`` pixels for Gaussians about ``places``, shape (places, length), rows summing to 1."""
    weights = np.exp(-0.5 * ((np.arange(length, dtype=np.float32) - places[:, None].astype(np.float32)) / sigma) ** 2)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _soft(grey: Grey, scale: float, sigma: float) -> Grey:
    height, width = grey.shape
    return np.asarray(_softening(height, scale, sigma) @ grey @ _softening(width, scale, sigma).T)


def _marks(grey: Grey, scale: float) -> _Marks:
    """The strongest extrema of a difference of Gaussians, with signs of the cosine transform around each."""
    soft = _soft(grey, scale, _FINE)
    strength = np.abs(soft - _soft(grey, scale, _COARSE))
    peak = (strength >= _highest_around(strength)) & (strength > _FAINTEST)
    peak[:_BORDER] = peak[-_BORDER:] = peak[:, :_BORDER] = peak[:, -_BORDER:] = False
    y, x = np.nonzero(peak)
    strongest = np.argsort(-strength[y, x], kind="stable")[:MARKS]
    y, x = y[strongest], x[strongest]
    wide = np.pad(soft, _PATCH // 2, mode="edge")
    # samples between the pixels lie evenly about the mark, so that a mirrored patch is the patch mirrored
    between = (wide[:-1, :-1] + wide[1:, :-1] + wide[:-1, 1:] + wide[1:, 1:]) / 4
    steps = np.arange(_PATCH)
    patches = between[(y[:, None] + steps)[:, :, None], (x[:, None] + steps)[:, None, :]]
    signs = patches.reshape(len(y), _PATCH * _PATCH) @ _BASIS > 0
    return _Marks(signs @ _POWERS, x.astype(np.float32), y.astype(np.float32))


def _highest_around(grid: Grey) -> Grey:
    """The maximum over 7 x 7 cells about each cell."""
    for axis in (0, 1):
        padding = [(3, 3) if axis == side else (0, 0) for side in (0, 1)]
        wide = np.moveaxis(np.pad(grid, padding, mode="edge"), axis, 0)
        pairs = np.maximum(wide[:-1], wide[1:])
        fours = np.maximum(pairs[:-2], pairs[2:])
        grid = np.moveaxis(np.maximum(fours[:-3], fours[3:]), 0, axis)
    return grid


def _refined(ours: Grey, theirs: Grey, fit: _Fit) -> _Fit | None:
    """The fit to a fraction of a pixel, by Gauss-Newton steps on scale, shift and brightness; None when astray."""
    scale, shift = np.array(fit.scale), np.array(fit.shift)
    soft = _soft(ours, 1.0, _SOFT)[::2, ::2]
    # every other pixel of a soft picture tells all that there is
    across, down = (np.arange(0, length, 2, dtype=np.float32) for length in ours.shape[::-1])
    gain, base = 1.0, 0.0
    for step_number in range(_STEPS):
        x, y = scale[0] * across + shift[0], scale[1] * down + shift[1]
        inside_x, inside_y = _inside(x, theirs.shape[1], 1), _inside(y, theirs.shape[0], 1)
        if min(inside_x.sum(), inside_y.sum()) < _BLOCK:
            return None
        mine = soft[np.ix_(inside_y, inside_x)]
        other, other_x, other_y = _sampled(theirs, x[inside_x], y[inside_y])
        left = (mine - gain * other - base).ravel()
        if step_number >= _ENOUGH and np.median(np.abs(left)) > _HOPELESS * soft.std():
            return None
        columns = [other, np.ones_like(other), gain * other_x, gain * other_y]
        columns += [gain * other_x * across[inside_x], gain * other_y * down[inside_y][:, None]]
        step = _solved(np.stack([column.ravel() for column in columns], 1), left)
        gain, base = gain + step[0], base + step[1]
        shift, scale = shift + step[2:4], scale + step[4:6]
        if not (np.all((scale > 0.5) & (scale < 2)) and 0.2 < gain < 5):  # noqa: PLR2004 - nothing alike is out there
            return None
        if np.abs(step[2:4]).max() < 0.02:  # noqa: PLR2004 - pixels
            break
    return fit._replace(scale=(float(scale[0]), float(scale[1])), shift=(float(shift[0]), float(shift[1])))


def _solved(columns: Grey, left: Grey) -> Grey:
    """Least squares that gives little weight to what doesn't fit at all (Cauchy weights)."""
    spread = 3 * float(np.median(np.abs(left))) + 2
    weighted = columns / (1 + (left / spread) ** 2)[:, None]
    normal = (weighted.T @ columns).astype(np.float64)
    normal[np.diag_indices_from(normal)] *= 1 + 1e-6
    return np.linalg.solve(normal + 1e-9 * np.eye(len(normal)), (weighted.T @ left).astype(np.float64))


def _inside(places: Grey, length: int, margin: int) -> npt.NDArray[np.bool_]:
    return (places >= margin) & (places <= length - 1 - margin)


def _sampled(grey: Grey, x: Grey, y: Grey) -> tuple[Grey, Grey, Grey]:
    """A softened picture at the crossings of ``x`` and ``y``, and its slopes across and down."""
    height, width = grey.shape
    weights_x, weights_y = _gaussians(x, width, _SOFT).T, _gaussians(y, height, _SOFT)
    # a Gaussian's slope is the Gaussian times the distance over its variance
    slopes_x = weights_x * ((np.arange(width, dtype=np.float32)[:, None] - x.astype(np.float32)) / _SOFT**2)
    slopes_y = weights_y * ((np.arange(height, dtype=np.float32) - y.astype(np.float32)[:, None]) / _SOFT**2)
    rows = weights_y @ grey
    return rows @ weights_x, rows @ slopes_x, slopes_y @ grey @ weights_x


def _residual(ours: Grey, theirs: Grey, fit: _Fit) -> tuple[Grey, Grey] | None:
    """What is left of ours when theirs is taken away, and ours, over the common part; None if that is too small.

    Both are brought to one sharpness first: the one that shows the scene larger is softened by as much more.
    """
    larger = (fit.scale[0] * fit.scale[1]) ** 0.5
    mine, other = (1.0, larger) if larger >= 1 else (1 / larger, 1.0)
    blur_mine, blur_other = (float(np.hypot(_SOFT * z, _LENS * (z * z - 1) ** 0.5)) for z in (mine, other))
    height, width = ours.shape
    places = [np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)]
    hits = [fit.scale[axis] * places[axis] + fit.shift[axis] for axis in (0, 1)]
    keep = [
        _inside(places[axis], (width, height)[axis], _MARGIN) & _inside(hits[axis], theirs.shape[1 - axis], _MARGIN)
        for axis in (0, 1)
    ]
    if min(keep[0].sum(), keep[1].sum()) < 3 * _BLOCK:
        return None
    x, y = (places[axis][keep[axis]] for axis in (0, 1))
    their_x, their_y = (hits[axis][keep[axis]] for axis in (0, 1))
    a = _gaussians(y, height, blur_mine) @ ours @ _gaussians(x, width, blur_mine).T
    b = _gaussians(their_y, theirs.shape[0], blur_other) @ theirs @ _gaussians(their_x, theirs.shape[1], blur_other).T
    return a - _lit_alike(b, a), a


def _lit_alike(picture: Grey, other: Grey) -> Grey:
    """``picture`` with the gain and base that bring it closest to ``other``, some parts of which may differ."""
    gain, base = 1.0, float(np.median(other - picture))
    columns = np.stack([picture.ravel(), np.ones(picture.size, np.float32)], 1)
    for _ in range(3):
        step = _solved(columns, (other - gain * picture - base).ravel())
        gain, base = gain + float(step[0]), base + float(step[1])
    return np.asarray(gain * picture + base, np.float32)


def _difference(left: Grey, picture: Grey) -> tuple[float, float]:
    """How much the worst block of 8 x 8 pixels is off, and how much three quarters of the blocks stay within.

    A block's residual is set against what a shift of half a pixel would make there, plus a floor for noise.
    """
    down, across = np.gradient(picture, axis=0), np.gradient(picture, axis=1)
    slope = _by_block(np.square(down) + np.square(across))
    floor = min(max(0.035 * float(picture.std()), 0.5), 1.5)
    off = _by_block(left**2) / (0.5 * slope + floor)
    return float(off.max()), float(np.quantile(off, 0.75))


def _by_block(squares: Grey) -> Grey:
    """Root of the mean in each block; the last rows and columns that fill no block are left out."""
    rows, columns = (length // _BLOCK for length in squares.shape)
    blocks = squares[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return np.asarray(blocks.mean((1, 3)) ** 0.5, np.float32)
