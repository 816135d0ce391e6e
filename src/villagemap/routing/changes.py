"""What a hint proposes, made to a problem: each change by its code under ``routes.hints``."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from villagemap.plans import LunchRule, Problem, Stop, Team, Window
from villagemap.plans.plan import Params

Change = tuple[str, Params]

ON_TEAM: dict[str, Callable[[Team, Params], Team]] = {
    "extend_day": lambda team, said: replace(team, day_end_s=said["until_at"]),
    "start_earlier": lambda team, said: replace(team, day_start_s=said["from_at"]),
    "raise_most": lambda team, said: replace(team, most_stops=said["most"]),
    "add_skill": lambda team, said: replace(team, skills=team.skills | {said["skill"]}),
    "later_lunch": lambda team, said: replace(
        team, lunch=replace(team.lunch or LunchRule(), latest_s=said["until_at"])
    ),
    "extra_shift": lambda team, said: replace(team, days=(*team.days, said["day"])),
}
ON_STOP: dict[str, Callable[[Stop, Params], Stop]] = {
    "widen_window": lambda stop, said: replace(stop, windows=_widened(stop.windows, said)),
    "shorten_service": lambda stop, said: replace(stop, service_s=stop.service_s - said["minutes"] * 60),
    "allow_team": lambda stop, said: replace(stop, teams=(*stop.teams, said["team"])),
    "allow_day": lambda stop, said: replace(stop, days=(*stop.days, said["day"])),
}
ON_ALL: dict[str, Callable[[Problem, Params], Problem]] = {
    "unlock": lambda all_, said: replace(all_, locks=tuple(lock for lock in all_.locks if lock.stop != said["stop"])),
    "split_villages": lambda all_, _: replace(all_, split_villages=True),
    "extra_day": lambda all_, _: replace(all_, days=(*all_.days, all_.days[-1] + timedelta(days=1))),
}


def changed(problem: Problem, changes: Sequence[Change]) -> Problem:
    """The problem with each change made.

    A team's hours, skills and number of calls are the same on all its days, so what a hint asks of one day is granted
    on all of them.
    """
    for code, said in changes:
        if code in ON_TEAM:
            teams = tuple(ON_TEAM[code](team, said) if team.id == said["team"] else team for team in problem.teams)
            problem = replace(problem, teams=teams)
        elif code in ON_STOP:
            stops = tuple(ON_STOP[code](stop, said) if stop.id == said["stop"] else stop for stop in problem.stops)
            problem = replace(problem, stops=stops)
        else:
            problem = ON_ALL[code](problem, said)
    return problem


def _widened(windows: Sequence[Window], said: Params) -> tuple[Window, ...]:
    """The window that begins at ``from_at`` ends at ``until_at`` at least."""
    return tuple(
        replace(window, end_s=max(window.end_s, said["until_at"])) if window.start_s == said["from_at"] else window
        for window in windows
    )
