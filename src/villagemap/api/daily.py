"""What a server does by itself: when it starts, and once a day after midnight."""

import logging
import threading
from datetime import datetime, time, timedelta

from villagemap.auth import OWNER
from villagemap.flows.cases.deadlines import wake_deferred
from villagemap.flows.registry import Session
from villagemap.flows.workspace import Workspace
from villagemap.settings import TIME_ZONE, now

log = logging.getLogger(__name__)

LONGEST_S = 3600.0
"""A computer that slept over midnight catches up within the hour."""


def seconds_to_midnight(at: datetime) -> float:
    """How long until the next day begins in Asia/Shanghai."""
    tomorrow = at.astimezone(TIME_ZONE).date() + timedelta(days=1)
    return (datetime.combine(tomorrow, time(), TIME_ZONE) - at).total_seconds()


def keep_the_day(workspace: Workspace, stop: threading.Event) -> None:
    """Let ended deferrals return, now and after every midnight, until ``stop`` is set."""
    session = Session(workspace, OWNER)
    while True:
        try:
            wake_deferred(session)
        except Exception:
            log.warning("the day's work failed and is tried again later", exc_info=True)
        if stop.wait(min(LONGEST_S, seconds_to_midnight(now()) + 1)):
            return
