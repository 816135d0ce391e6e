"""What a plan says of itself as sentences: reasons, proofs, hints, breaches, changes; by names, minutes and kilometres.

Sentences stand in the texts room ``routes``. A value's name says how it is told: ``…_s`` a length of time, ``…_at`` a
time of day, ``…_clock`` one to the second, ``…_m`` a distance.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from villagemap.plan_check import Breach
from villagemap.plans import Hint, LeftOut, Problem, Shortfall, Try
from villagemap.routing.changelog import Change
from villagemap.texts import text

Said = Mapping[str, Any]
MINUTE_S, HOUR_S = 60, 3600


class Teller:
    """Tells about plans of one problem in one language."""

    def __init__(self, problem: Problem, lang: str) -> None:
        self.problem, self.lang = problem, lang
        self.teams = {team.id: team.name or team.id for team in problem.teams}
        self.sites = {site.id: site.name or site.id for site in problem.sites}
        self.sites |= {stop.id: stop.name or stop.id for stop in problem.stops}

    def left_out(self, left: LeftOut) -> dict[str, Any]:
        """``why`` a stop is left out (a sentence), its ``proof`` and ``hints`` (sentences)."""
        why = self.said("reasons", left.code, {"stop": left.stop, **left.params})
        if "examined" in left.params:
            why += " " * (self.lang == "en") + text("routes.examined", self.lang, **left.params)
        return {
            "why": why,
            "proof": [self._proof(left.stop, one) for one in left.proof],
            "hints": [self._hint(hint) for hint in left.hints],
        }

    def breach(self, breach: Breach) -> str:
        """What is wrong, with the stop, team and day that it concerns."""
        where = {"stop": breach.stop, "team": breach.team, "day": breach.day}
        return self.said("breaches", breach.code, where | dict(breach.params))

    def change(self, change: Change) -> str:
        """What a new plan did with a stop."""
        places = {"was": self._place(change.was), "now": self._place(change.now)}
        return self.said("changes", change.kind, {"stop": change.stop, **places})

    def shortfall(self, missing: Shortfall) -> str:
        """How many team-days are missing for every village."""
        return text(
            "routes.shortfall", self.lang, villages=missing.villages, bound=missing.bound, estimate=missing.estimate
        )

    def said(self, kind: str, code: str, params: Said) -> str:
        """The sentence of a code, filled."""
        return text(f"routes.{kind}.{code}", self.lang, **{key: self._value(key, one) for key, one in params.items()})

    def _proof(self, stop: str, one: Try) -> str:
        binding = self.said("binding", one.code, {"stop": stop, **one.params})
        values = self._filled({"team": one.team, "day": one.day, "extra_s": one.extra_s, "extra_m": one.extra_m})
        key = "proof_at" if one.extra_s > 0 else "proof"
        return text(f"routes.{key}", self.lang, where=self._where(one.after), binding=binding, **values)

    def _hint(self, hint: Hint) -> str:
        values = self._filled({"team": hint.team, "day": hint.day, "extra_s": hint.extra_s})
        if not hint.changes:
            return text("routes.hint_fits", self.lang, where=self._where(hint.after), **values)
        parts = [self.said("hints", code, params) for code, params in hint.changes]
        parts[1:] = [part[0].lower() + part[1:] for part in parts[1:]]
        changes = text("routes.together", self.lang).join(parts)
        return text("routes.hint", self.lang, changes=changes, where=self._where(hint.after), **values)

    def _where(self, after: int) -> str:
        """Where in its route a stop goes, behind so many calls."""
        return text("routes.after", self.lang, after=after) if after else text("routes.at_the_front", self.lang)

    def _place(self, place: tuple[str, int, int] | None) -> str:
        if place is None:
            return ""
        return self.said("changes", "place", {"team": place[0], "day": place[1], "number": place[2]})

    def _filled(self, params: Said) -> dict[str, str | int]:
        return {key: self._value(key, value) for key, value in params.items()}

    def _value(self, key: str, value: Any) -> str | int:  # noqa: ANN401 - texts and whole numbers
        told: dict[str, Callable[[Any], str]] = {
            "team": self._team,
            "holder": self._team,
            "teams": lambda teams: text("routes.between", self.lang).join(self._team(team) for team in teams),
            "stop": self._site,
            "instead": self._site,
            "start": self._site,
            "end": self._site,
            "day": self.day,
            "minutes": lambda minutes: self.span(minutes * MINUTE_S),
            "figure": lambda figure: text(f"routes.figures.{figure}", self.lang),
        }
        if key in told:
            return told[key](value)
        ending: dict[str, Callable[[int], str]] = {
            "_s": self.span,
            "_at": _clock,
            "_clock": _to_the_second,
            "_m": self._km,
        }
        return next((tell(value) for end, tell in ending.items() if key.endswith(end)), value)

    def day(self, number: int) -> str:
        """A day by its number and date; one behind the last is the one after it."""
        days = self.problem.days
        if not days or number < 1:
            return str(number)
        on = days[number - 1] if number <= len(days) else days[-1] + timedelta(days=number - len(days))
        return text("routes.day", self.lang, number=number, iso=on.isoformat())

    def span(self, seconds: int) -> str:
        """A length of time in minutes, rounded up, and hours."""
        hours, minutes = divmod(-(-seconds // MINUTE_S), 60)
        if hours:
            return text("routes.hours", self.lang, hours=hours, minutes=minutes)
        return text("routes.minutes", self.lang, minutes=minutes)

    def _km(self, metres: int) -> str:
        return text("routes.km", self.lang, km=f"{metres / 1000:.1f}")

    def _team(self, team: str) -> str:
        return self.teams.get(team, team)

    def _site(self, site: str) -> str:
        return self.sites.get(site, site)


def _clock(seconds: int) -> str:
    return f"{seconds // HOUR_S:02}:{seconds // MINUTE_S % 60:02}"


def _to_the_second(seconds: int) -> str:
    return f"{_clock(seconds)}:{seconds % 60:02}"
