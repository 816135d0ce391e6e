"""Drawn before and after pictures for some sample issues: simple scenes, so that nobody takes them for photographs."""

import io
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from villagemap.model import Issue, Located, Privacy, Status

WIDTH, HEIGHT = 960, 720
DONE = frozenset({Status.SUBMITTED, Status.CLOSED})
SHANGHAI = ZoneInfo("Asia/Shanghai")
Colour = tuple[int, int, int]
Scene = Callable[[ImageDraw.ImageDraw, np.random.Generator, bool], None]


def sample_photos(issues: Iterable[Issue], *, seed: int, count: int = 40) -> Iterator[tuple[str, str, bytes, datetime]]:
    """Pictures for up to ``count`` of ``issues``: (issue id, stage, JPEG bytes, taken at UTC).

    Each has one of stage "before"; what is submitted or closed has one of stage "after" too. Issues of a public place
    only, taken in their order, with as many kinds of scene as there are.
    """
    waiting: dict[str, list[Issue]] = {name: [] for name in SCENES}
    for issue in issues:
        scene = scene_of(issue)
        if issue.privacy is Privacy.OPEN and issue.located is Located.INSIDE and len(waiting[scene]) < count:
            waiting[scene].append(issue)
    for number, issue in enumerate(_in_turn(list(waiting.values()), count)):
        rng = np.random.default_rng([seed, number])
        look = int(rng.integers(2**31))
        for stage, day in (("before", issue.found_on), ("after", issue.claimed_closed_on)):
            if day is not None and (stage == "before" or issue.status in DONE):
                jpeg = _picture(SCENES[scene_of(issue)], look, done=stage == "after")
                local = datetime.combine(day, time(9), SHANGHAI) + timedelta(minutes=int(rng.integers(0, 480)))
                yield issue.id, stage, jpeg, local.astimezone(UTC)


def _in_turn(groups: list[list[Issue]], count: int) -> list[Issue]:
    """Up to ``count`` issues, one of each group in turn; the finished ones of a group first."""
    queues = [sorted(group, key=lambda issue: issue.status not in DONE) for group in groups]
    rounds = (queue[i] for i in range(count) for queue in queues if i < len(queue))
    return [issue for issue, _ in zip(rounds, range(count), strict=False)]


def scene_of(issue: Issue) -> str:
    """The name of the scene that fits an issue's category."""
    for word, scene in (
        ("toilet_dry", "dry_toilet"),
        ("toilet", "toilet"),
        ("water", "pond"),
        ("sewage", "lane"),
        ("garden", "plot"),
    ):
        if word in issue.category:
            return scene
    if issue.category in {"plot_rebound", "clutter_pile", "illegal_structure"}:
        return "plot"
    return "bins" if issue.category.startswith(("collection", "haul", "transfer")) else "lane"


def _picture(scene: Scene, look: int, *, done: bool) -> bytes:
    """One scene as JPEG; the same ``look`` gives the same place before and after."""
    rng = np.random.default_rng(look)
    image = Image.new("RGB", (WIDTH, HEIGHT))
    pen = ImageDraw.Draw(image)
    _sky_and_ground(pen, rng, done)
    scene(pen, rng, done)
    grain = np.random.default_rng(look + 1).normal(0, 5, (HEIGHT // 2, WIDTH // 2, 1)).repeat(3, axis=2)
    noise = Image.fromarray(np.clip(128 + grain, 0, 255).astype(np.uint8)).resize((WIDTH, HEIGHT))
    image = Image.blend(image.filter(ImageFilter.GaussianBlur(0.8)), noise, 0.06)
    _stamp(image, done)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=72, optimize=True)
    return stream.getvalue()


def _sky_and_ground(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A sky, far hills and trees, and the ground."""
    horizon = 300
    for y in range(horizon):
        pale = y / horizon
        pen.line([(0, y), (WIDTH, y)], fill=_mixed((150, 190, 225) if done else (176, 190, 200), (238, 240, 236), pale))
    hills: list[tuple[float, float]] = [(0, horizon)]
    hills += [(float(x), horizon - 50 - 26 * math.sin(x / 130 + rng.uniform(0, 0.4))) for x in range(0, WIDTH + 40, 40)]
    pen.polygon([*hills, (WIDTH, horizon)], fill=(128, 156, 136))
    for x in range(-20, WIDTH, 46):
        radius = int(rng.integers(26, 48))
        top = horizon - 8 - radius
        pen.ellipse([x, top, x + 2 * radius, top + 2 * radius], fill=_shade((74, 118, 70), rng))
    pen.rectangle([0, horizon + 10, WIDTH, HEIGHT], fill=(176, 164, 134) if done else (158, 146, 118))
    for px, py in rng.uniform((0, horizon + 14), (WIDTH, HEIGHT), (500, 2)).tolist():
        pen.ellipse([px, py, px + 4, py + 2], fill=_shade((146, 132, 104), rng))


def _house(pen: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int], wall: Colour) -> None:
    """A house front with a tiled roof, a door and windows."""
    left, top, right, bottom = box
    pen.rectangle(box, fill=wall)
    pen.polygon(
        [(left - 22, top), (left + 26, top - 66), (right - 26, top - 66), (right + 22, top)], fill=(146, 82, 62)
    )
    for y in range(top - 60, top, 10):
        inset = 26 - int((y - top + 66) * 0.7)
        pen.line([(left + inset, y), (right - inset, y)], fill=(124, 68, 52), width=2)
    middle = (left + right) // 2 + int(rng.integers(-20, 20))
    pen.rectangle([middle - 26, bottom - 110, middle + 26, bottom], fill=(96, 70, 52))
    for x in (left + 24, right - 80):
        pen.rectangle([x, top + 34, x + 56, top + 84], fill=(116, 144, 160), outline=(230, 230, 224), width=4)


def _lane(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A concrete lane between houses, with a heap of garbage until it is cleared."""
    _house(pen, rng, (30, 190, 330, 420), (222, 214, 198))
    _house(pen, rng, (640, 176, 940, 430), (206, 196, 180))
    pen.polygon([(420, 320), (540, 320), (780, HEIGHT), (180, HEIGHT)], fill=(196, 194, 188))
    for y, width in ((380, 2), (460, 3), (580, 4)):
        half = 60 + (y - 320) * 0.6
        pen.line([(480 - half, y), (480 + half, y)], fill=(172, 170, 164), width=width)
    if done:
        _broom_marks(pen, rng)
    else:
        _heap(pen, rng, (250, 560), 150, 250)


def _heap(
    pen: ImageDraw.ImageDraw, rng: np.random.Generator, centre: tuple[int, int], spread: int, pieces: int
) -> None:
    """A heap of bags, bottles and scraps."""
    colours = [
        (208, 208, 210),
        (70, 96, 150),
        (168, 60, 50),
        (206, 180, 92),
        (92, 82, 66),
        (60, 64, 58),
        (122, 148, 96),
    ]
    for _ in range(pieces):
        x = centre[0] + rng.normal(0, spread * 0.5)
        y = centre[1] + abs(rng.normal(0, spread * 0.25)) * rng.choice((1, -1, -1))
        size, turn = rng.uniform(7, 26), rng.uniform(0, math.pi)
        corners = [
            (x + size * rng.uniform(0.5, 1) * math.cos(turn + k * 1.26), y + size * 0.7 * math.sin(turn + k * 1.26))
            for k in range(5)
        ]
        pen.polygon(corners, fill=_shade(colours[rng.integers(len(colours))], rng), outline=(80, 76, 70))


def _broom_marks(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Fine strokes on a swept floor."""
    for _ in range(60):
        x, y = rng.uniform(220, 700), rng.uniform(480, 700)
        pen.arc([x, y, x + 60, y + 18], 200, 320, fill=(182, 180, 174), width=1)


def _dry_toilet(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A dry toilet of brick; after, the plot is cleared and planted."""
    _house(pen, rng, (620, 190, 930, 420), (218, 208, 190))
    if done:
        pen.rectangle([170, 420, 560, 600], fill=(140, 116, 84), outline=(196, 190, 176), width=10)
        _rows(pen, rng, (195, 445, 540, 590))
        return
    pen.rectangle([200, 300, 520, 580], fill=(156, 112, 86))
    for row, y in enumerate(range(300, 580, 20)):
        pen.line([(200, y), (520, y)], fill=(132, 92, 70), width=2)
        for x in range(200 + 20 * (row % 2), 520, 40):
            pen.line([(x, y), (x, y + 20)], fill=(132, 92, 70), width=2)
    pen.polygon([(180, 300), (220, 250), (510, 262), (545, 310)], fill=(108, 104, 100))
    pen.rectangle([310, 400, 400, 580], fill=(44, 38, 34))
    pen.ellipse([420, 585, 600, 640], fill=(70, 58, 40))
    _heap(pen, rng, (560, 640), 60, 40)


def _public_toilet(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A tiled public toilet: doors off and dirty; after, doors hung, clean, with a hedge."""
    wall = (226, 230, 228) if done else (188, 184, 170)
    pen.polygon([(190, 250), (250, 200), (710, 200), (770, 250)], fill=(72, 118, 146) if done else (110, 112, 110))
    pen.rectangle([220, 250, 740, 520], fill=wall)
    for y in range(262, 520, 16):
        pen.line([(220, y), (740, y)], fill=_shade(wall, rng), width=1)
    pen.rectangle([180, 520, 780, 548], fill=(196, 194, 188))
    for x in (300, 560):
        pen.rectangle([x, 340, x + 100, 520], fill=(52, 50, 48))
        if done:
            pen.rectangle([x + 4, 344, x + 96, 520], fill=(92, 134, 150), outline=(232, 232, 228), width=4)
        elif x == 300:  # noqa: PLR2004 - one door hangs askew, the other is gone
            pen.polygon([(x + 60, 350), (x + 128, 372), (x + 120, 530), (x + 52, 516)], fill=(120, 104, 84))
    if done:
        _rows(pen, rng, (190, 580, 780, 620))
        return
    pen.ellipse([250, 540, 640, 600], fill=(110, 104, 84))
    _heap(pen, rng, (660, 590), 70, 45)


def _rows(pen: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int]) -> None:
    """Rows of young plants."""
    for y in range(box[1], box[3], 30):
        for x in range(box[0], box[2], 24):
            size = rng.uniform(7, 12)
            pen.ellipse([x - size, y - size * 0.6, x + size, y + size * 0.6], fill=_shade((86, 146, 66), rng))


def _pond(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A village pond, black with scum; after, clear with lotus."""
    _house(pen, rng, (60, 170, 330, 330), (220, 212, 198))
    pen.ellipse([90, 380, 890, 690], fill=(150, 142, 122))
    pen.ellipse([110, 394, 870, 676], fill=(96, 150, 168) if done else (46, 48, 42))
    for _ in range(70 if done else 140):
        turn, far = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.92)
        x, y = 490 + 370 * far * math.cos(turn), 535 + 132 * far * math.sin(turn)
        if done:
            pen.line([(x - 26, y), (x + 26, y)], fill=(132, 180, 192), width=2)
        else:
            size = rng.uniform(5, 20)
            scum = [(84, 92, 62), (112, 110, 98), (190, 190, 186), (70, 66, 50)][rng.integers(4)]
            pen.ellipse([x - size, y - size * 0.4, x + size, y + size * 0.4], fill=scum)
    if done:
        for x, y in ((260, 590), (300, 610), (230, 560), (700, 590), (740, 565)):
            pen.ellipse([x - 28, y - 12, x + 28, y + 12], fill=(84, 140, 78))


def _plot(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A plot between houses: rubble and weeds; after, a fenced kitchen garden."""
    _house(pen, rng, (30, 190, 300, 400), (214, 206, 190))
    pen.polygon([(210, 420), (790, 420), (900, 660), (90, 660)], fill=(138, 112, 80) if done else (150, 138, 112))
    if done:
        _rows(pen, rng, (230, 450, 790, 640))
        for stake in range(90, 910, 34):
            pen.rectangle([stake, 600, stake + 10, 690], fill=(190, 160, 104))
        pen.rectangle([80, 630, 910, 640], fill=(172, 142, 90))
        return
    for x, y in rng.uniform((140, 440), (840, 650), (160, 2)).tolist():
        pen.line(
            [(x, y), (x + rng.uniform(-14, 14), y - rng.uniform(18, 54))], fill=_shade((98, 128, 60), rng), width=3
        )
    _heap(pen, rng, (520, 590), 170, 130)


def _bins(pen: ImageDraw.ImageDraw, rng: np.random.Generator, done: bool) -> None:
    """A collection point: bins overflowing; after, in a row under a roof."""
    _house(pen, rng, (660, 170, 930, 360), (220, 212, 196))
    pen.rectangle([150, 560, 650, 600], fill=(196, 194, 188))
    pen.rectangle([160, 300, 172, 570], fill=(120, 124, 128))
    pen.rectangle([628, 300, 640, 570], fill=(120, 124, 128))
    if done:
        pen.polygon([(130, 310), (180, 262), (620, 262), (670, 310)], fill=(70, 118, 150))
    colours = [(60, 120, 70), (64, 96, 160), (176, 66, 54), (110, 112, 116)]
    for k, colour in enumerate(colours):
        lean = 0 if done else int(rng.integers(-22, 22))
        x = 190 + k * 110
        pen.polygon([(x + lean, 420), (x + 84 + lean, 420), (x + 74, 570), (x + 10, 570)], fill=colour)
        if done:
            pen.rectangle([x - 4, 404, x + 88, 422], fill=_shade(colour, rng))
    if not done:
        _heap(pen, rng, (390, 590), 230, 190)
        _heap(pen, rng, (390, 430), 170, 60)


SCENES: dict[str, Scene] = {
    "lane": _lane,
    "toilet": _public_toilet,
    "dry_toilet": _dry_toilet,
    "pond": _pond,
    "plot": _plot,
    "bins": _bins,
}


def _stamp(image: Image.Image, done: bool) -> None:
    """DEMO in the corner, with 示例 drawn stroke by stroke, because no font is needed then."""
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, HEIGHT - 54, 226, HEIGHT], fill=(255, 255, 255))
    for k, strokes in enumerate(GLYPHS):
        for line in strokes:
            points = [(16 + k * 42 + x * 0.36, HEIGHT - 45 + y * 0.36) for x, y in line]
            pen.line(points, fill=(139, 10, 26), width=4, joint="curve")
    for k, strokes in enumerate(LETTERS):
        for line in strokes:
            points = [(106 + k * 29 + x * 0.2, HEIGHT - 41 + y * 0.28) for x, y in line]
            pen.line(points, fill=(139, 10, 26), width=4, joint="curve")
    pen.ellipse(
        [WIDTH - 46, 18, WIDTH - 20, 44], fill=(27, 120, 55) if done else (139, 10, 26), outline="white", width=3
    )


GLYPHS: tuple[tuple[tuple[tuple[int, int], ...], ...], ...] = (
    # 示 and 例 as strokes on a grid of 100
    (
        ((22, 14), (78, 14)),
        ((6, 40), (94, 40)),
        ((50, 40), (50, 94), (36, 86)),
        ((28, 56), (10, 82)),
        ((72, 56), (90, 82)),
    ),
    (
        ((26, 4), (4, 46)),
        ((18, 30), (18, 96)),
        ((32, 14), (66, 14)),
        ((48, 14), (30, 52)),
        ((42, 34), (64, 34), (34, 94)),
        ((42, 52), (54, 66)),
        ((76, 14), (76, 66)),
        ((94, 4), (94, 96), (82, 88)),
    ),
)
LETTERS: tuple[tuple[tuple[tuple[int, int], ...], ...], ...] = (
    (((0, 0), (0, 100), (50, 100), (100, 70), (100, 30), (50, 0), (0, 0)),),
    (((100, 0), (0, 0), (0, 100), (100, 100)), ((0, 50), (80, 50))),
    (((0, 100), (0, 0), (50, 60), (100, 0), (100, 100)),),
    (((30, 0), (0, 30), (0, 70), (30, 100), (70, 100), (100, 70), (100, 30), (70, 0), (30, 0)),),
)


def _mixed(one: Colour, two: Colour, share: float) -> Colour:
    return tuple(round(a + (b - a) * share) for a, b in zip(one, two, strict=True))  # type: ignore[return-value]


def _shade(colour: Colour, rng: np.random.Generator) -> Colour:
    return tuple(int(np.clip(part + rng.normal(0, 10), 0, 255)) for part in colour)  # type: ignore[return-value]
