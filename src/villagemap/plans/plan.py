"""What was planned: routes by team and day, what was left out and why, and how it came about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Params = Mapping[str, Any]
"""Values for a sentence of the catalog: texts, whole numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A stop as it is called at: ``arrive_s`` ≤ ``begin_s`` < ``leave_s``, with the leg that leads there.

    ``leave_s`` - ``begin_s`` is the set-up, where one is due, and the service. ``wait_s`` is what passes between
    arriving and beginning other than lunch.
    """

    stop: str
    leg_s: int
    leg_m: int
    arrive_s: int
    begin_s: int
    leave_s: int
    wait_s: int = 0
    setup_s: int = 0
    done: bool = False
    """Has happened, or is under way: frozen by a new plan during the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lunch:
    """The break: behind so many calls (0: before the first), and whether before or after the drive to the next."""

    begin_s: int
    end_s: int
    after: int
    before_drive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One team's day: leaves its start at ``leave_s``, calls, and is back at its end at ``back_s`` by a last leg."""

    team: str
    day: int
    leave_s: int
    calls: tuple[Call, ...]
    back_leg_s: int
    back_leg_m: int
    back_s: int
    lunch: Lunch | None = None

    @property
    def travel_s(self) -> int:
        """Driving time."""
        return sum(call.leg_s for call in self.calls) + self.back_leg_s

    @property
    def distance_m(self) -> int:
        """Driving distance."""
        return sum(call.leg_m for call in self.calls) + self.back_leg_m

    @property
    def working_s(self) -> int:
        """From leaving to being back, without lunch."""
        return self.back_s - self.leave_s - (self.lunch.end_s - self.lunch.begin_s if self.lunch else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """The cheapest way to put a stop left out into one shift, and the constraint that forbids it.

    ``after`` is how many calls would come before it; ``extra_s`` the working time and ``extra_m`` the distance it adds.
    ``code`` is a key under ``routes.binding``; ``params`` its values (``over_s`` beyond the shift, ``late_s`` behind a
    window, …).
    """

    team: str
    day: int
    after: int
    extra_s: int
    extra_m: int
    code: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Changes (one, or two together) that make room for the stop in this very plan, dropping no other.

    Each change is ``(code, params)``; the code a key under ``routes.hints``, such as ``extend_day`` with ``team``,
    ``day`` and ``minutes``. ``team``, ``day`` and ``after`` say where the stop then goes. Proven: it was inserted so.
    """

    changes: tuple[tuple[str, Params], ...]
    team: str
    day: int
    after: int
    extra_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A stop that isn't in the plan: why (a key under ``routes.reasons``), the proof, and what would help."""

    stop: str
    code: str
    params: Params = field(default_factory=dict)
    proof: tuple[Try, ...] = ()
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Every village can't be met: so many team-days are missing at least (``bound``), and about so many (``estimate``).

    ``bound`` is proven: fewer can't do. ``need_s`` is the least work that is left beside ``spare_s`` of room.
    """

    villages: int
    bound: int
    estimate: int
    need_s: int
    spare_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Totals over all routes. ``spread_percent`` is (longest - shortest) / longest working time of the teams, over all
    days, in percent; ``fairness_price_s`` the driving time that keeping it small cost (None: not asked for)."""  # noqa: D205, D209

    stops: int
    left_out: int
    villages: int
    villages_in_all: int
    priority: int
    travel_s: int
    distance_m: int
    service_s: int
    wait_s: int
    working_s: int
    spread_percent: float
    fairness_price_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An answer to a problem.

    ``solver`` says what made it ("pyvrp 0.14.1", with "+ vroom" where its plan was the start); with ``seed`` and
    ``iterations`` (and the same start) it can be made again. ``lower_bound_s`` bounds the driving time of any plan
    that calls at the same stops, None where none is known. ``matrix`` tells where travel times come from, as
    `Matrix` has them: ``kind``, ``digest``, ``estimated`` and ``about``.
    """

    routes: tuple[Route, ...]
    left_out: tuple[LeftOut, ...]
    figures: Figures
    matrix: Params
    solver: str
    seed: int
    iterations: int
    seconds: float
    first_s: float | None = None
    """Seconds until the first feasible plan."""
    lower_bound_s: int | None = None
    shortfall: Shortfall | None = None
    stopped: bool = False
    """Stopped early by a person: the best so far."""
