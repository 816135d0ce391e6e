"""Copies are found, honest second exposures aren't. Drawn pictures; real photographs where the folder is there."""

import itertools
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from photo_scenes import EDITS, Exposure, Scene, edited, honest_exposure, jpeg
from villagemap import likeness
from villagemap.likeness import LIKE, Fingerprint, LikenessIndex, Relation, compare, fingerprint

REAL = Path(__file__).parents[2] / "shared" / "data" / "photos"
SCENES = 20
ALL_EDITS = [(), *((edit,) for edit in EDITS), *itertools.combinations(EDITS, 2), EDITS]


@cache
def taken(seed):
    """One scene's picture before, and how it was exposed."""
    rng = np.random.default_rng([3, seed])
    exposure = honest_exposure(rng)
    return Scene(seed).take(exposure, seed=seed), exposure


@cache
def known(seed):
    return fingerprint(taken(seed)[0])


@cache
def index_of(count):
    return index(range(count))


def index(seeds, **more):
    prints = {str(seed): known(seed) for seed in seeds} | more
    return LikenessIndex(
        prints, [p.marks for p in prints.values()], lambda ids: {i: prints[i] for i in ids if i in prints}
    )


@pytest.mark.parametrize("edits", ALL_EDITS, ids="+".join)
def test_an_edited_copy_is_found_among_others(edits):
    """Recall over 20 drawn scenes is 100 % for all edits today; the promise is 95 %."""
    photos, found = index_of(SCENES), 0
    for seed in range(SCENES):
        copy = edited(taken(seed)[0], edits, np.random.default_rng([4, seed]))
        found += [like.id for like in photos.nearest(fingerprint(copy))] == [str(seed)]
    assert found >= 0.95 * SCENES


def test_the_relation_says_what_was_done():
    picture = taken(1)[0]
    part = picture.crop((90, 40, 690, 520))
    cases = {
        Relation.SAME: jpeg(picture, 60),
        Relation.CROP: part,
        Relation.MIRROR: ImageOps.mirror(picture),
        Relation.MIRROR_CROP: ImageOps.mirror(part),
        Relation.CHANGED: stamped(picture),
    }
    for relation, copy in cases.items():
        for pair in ((fingerprint(copy), known(1)), (known(1), fingerprint(copy))):
            value, said = compare(*pair)
            assert (said, value >= LIKE) == (relation, True)


def stamped(picture):
    """With the label of a watermark camera, 6 % of the picture."""
    copy = picture.copy()
    pen = ImageDraw.Draw(copy)
    pen.rectangle((15, 440, 290, 520), fill=(250, 250, 250))
    pen.text((25, 450), "2022-03-09 10:33\nDEMO", fill=(0, 0, 0))
    return copy


def test_a_brighter_copy_is_still_a_copy():
    brighter = Image.eval(taken(2)[0], lambda value: min(255, round(value * 0.8 + 20)))
    assert compare(fingerprint(brighter), known(2)) == (pytest.approx(0.9, abs=0.15), Relation.SAME)


def test_honest_pairs_from_one_viewpoint_are_told_apart():
    """0 false alarms on these 24; benchmarks/likeness.py counts on 1,000."""
    alarms = []
    for seed in range(24):
        scene, rng = Scene(seed, size=(0.12, 0.3, 1)[seed % 3]), np.random.default_rng([5, seed])
        first, then = honest_exposure(rng), honest_exposure(rng)
        before = jpeg(scene.take(first, seed=2 * seed), first.quality)
        after = jpeg(scene.take(then, thing=False, seed=2 * seed + 1), then.quality)
        alarms += [seed] if compare(fingerprint(before), fingerprint(after))[0] >= LIKE else []
    assert alarms == []


def test_an_honest_photo_beside_its_copy_doesnt_hide_it():
    rng = np.random.default_rng(6)
    crowd = {
        f"honest {n}": fingerprint(Scene(3).take(honest_exposure(rng), thing=False, seed=100 + n)) for n in range(7)
    }
    copy = fingerprint(edited(taken(3)[0], EDITS, rng))
    assert [like.id for like in index(range(5), **crowd).nearest(copy)] == ["3"]


def test_a_photo_added_later_is_found_before_and_after_sorting(monkeypatch):
    monkeypatch.setattr(likeness, "_TAIL", 3)
    prints = {str(seed): known(seed) for seed in range(12)}
    photos = LikenessIndex([], [], lambda ids: {i: prints[i] for i in ids})
    assert photos.nearest(known(0)) == []
    for name, print_ in prints.items():
        photos.add(name, print_.marks)
        for seen in range(int(name) + 1):
            assert photos.nearest(known(seen))[0].id == str(seen)
    assert len(photos) == 12


def test_a_photo_that_is_gone_is_left_out():
    photos = index(range(4))
    photos.look_up = lambda _: {}
    assert photos.nearest(known(2)) == []


@pytest.mark.parametrize("size", [(640, 480), (1, 1), (3000, 2), (5, 900)])
def test_a_picture_without_detail_is_like_nothing(size):
    blank = fingerprint(Image.new("RGB", size, (90, 120, 90)))
    assert (blank.marks, compare(blank, blank)[0], index([0, 1]).nearest(blank)) == (b"", 0.0, [])
    assert len(blank.grey) == blank.width * blank.height


@pytest.mark.parametrize("gain", [0.12, 0.04])
def test_honest_pairs_in_the_dark_are_told_apart(gain):
    """There all pictures of one place are within a few grey levels of each other (at 0.04 copies are lost too)."""
    for seed in range(8):
        scene, rng = Scene(seed, size=0.12), np.random.default_rng([9, seed])
        dark = [replace(honest_exposure(rng), gain=gain, gamma=1.0, noise=0.3) for _ in range(2)]
        frames = [scene.take(dark[n], thing=n == 0, seed=2 * seed + n) for n in (0, 1)]
        prints = [fingerprint(jpeg(frame, 92)) for frame in frames]
        assert compare(*prints)[0] < LIKE
        if gain > 0.1:
            assert compare(prints[0], fingerprint(ImageOps.mirror(jpeg(frames[0], 80))))[0] >= LIKE


def test_a_fingerprint_is_the_same_each_time_and_from_its_blobs():
    again = fingerprint(taken(0)[0])
    stored = Fingerprint(width=again.width, height=again.height, grey=bytes(again.grey), marks=bytes(again.marks))
    assert again == known(0) == replace(stored, version=likeness.VERSION)
    assert len(again.grey) + len(again.marks) < 13_000


def test_a_mirrored_mark_is_the_same_code_with_flipped_bits():
    grey = likeness._grey(known(4))
    marks, mirrored = likeness._marks(grey, 1.0), likeness._marks(np.ascontiguousarray(grey[:, ::-1]), 1.0)
    here = {(int(x), int(y)): int(code) for code, x, y in zip(*marks, strict=True)}
    there = {(grey.shape[1] - 1 - int(x), int(y)): int(code) for code, x, y in zip(*mirrored, strict=True)}
    both = here.keys() & there.keys()
    apart = [(here[spot] ^ int(likeness._MIRROR) ^ there[spot]).bit_count() for spot in both]
    assert len(both) >= 60
    assert np.mean(apart) < 0.2


def real_photos():
    names = [entry["file"] for entry in json.loads((REAL / "photos_expected.json").read_text()) if entry.get("decodes")]
    for name in names:
        with Image.open(REAL / name) as image:
            if min(image.size) >= 130 and "BlueSquare" not in name and "0_length_string" not in name:
                image.draft("RGB", (1600, 1600))
                picture = ImageOps.exif_transpose(image).convert("RGB")
                picture.thumbnail((1600, 1600))
                yield name, picture


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real photos beside this checkout")
def test_real_photographs_edited_are_found_and_strangers_arent():
    """30 photographs (a drawn logo and a picture of one colour aside), all edits at once: 30 found on this machine.

    Six of the eight orientation examples are two pictures with another numeral painted on: ``changed``, rightly.
    """
    photos = dict(real_photos())
    prints = {name: fingerprint(photo) for name, photo in photos.items()}
    assert len(prints) == 30
    kept = LikenessIndex(prints, [p.marks for p in prints.values()], lambda ids: {i: prints[i] for i in ids})
    found = 0
    for seed, (name, photo) in enumerate(photos.items()):
        likes = kept.nearest(fingerprint(edited(photo, EDITS, np.random.default_rng([8, seed]))))
        found += bool(likes) and likes[0].id == name and likes[0].relation is Relation.MIRROR_CROP
        family = {other for other in prints if other.startswith(name[:-5])} if "orientation" in name else {name}
        assert {like.id for like in likes} <= family
    assert found >= 29


def test_an_exposure_that_differs_by_nothing_but_noise_asks_a_person():
    """Two frames of one burst can't be told from a copy: a person is asked, who may overrule."""
    scene = Scene(5)
    frames = [fingerprint(scene.take(Exposure(noise=2), frame=frame)) for frame in (1, 2)]
    assert compare(*frames)[0] >= LIKE
