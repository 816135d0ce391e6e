"""What pages and programs send: forms, JSON and photos, read strictly."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import BinaryIO, TypeVar

import orjson
from fastapi import Request
from starlette.datastructures import UploadFile

from villagemap.errors import BadInputError, WrongUseError
from villagemap.flows.cases.evidence import Capture
from villagemap.workflow import Given

Value = TypeVar("Value")

MOST_FIELDS = 40
MOST_TEXT = 2_000

CAPTURE_FIELDS = {
    "lon": "longitude of the phone, WGS 84 degrees",
    "lat": "latitude of the phone",
    "accuracy_m": "its accuracy in metres",
    "tapped": "1 where the position was tapped on a map",
    "device_at": "the phone's clock when the picture was taken, milliseconds since 1970",
    "submitted_at": "the phone's clock when it was sent",
    "live": "1 for a picture that was taken for this form",
}
"""What `capture_of` reads, for the API's description."""
ACTION_FIELDS = {
    "reason": "why, in words",
    "quantity_done": "how much is done by now",
    "until": "a day like 2026-03-31, to which it is deferred",
    "lead_unit": "code or name of the lead unit",
    "help_units": "helping units, with commas between them",
    "duplicate_of": "number or id of the issue that this one repeats",
}
"""What `given_of` reads."""
KEY_FIELDS = {"key": "chosen by the sender: a retry with the same gets the same answer (or header Idempotency-Key)"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request's fields as texts, and the photo that came along, if any."""

    fields: Mapping[str, str]
    photo: BinaryIO | None = None
    photo_name: str = ""

    def text(self, name: str) -> str:
        """A field, stripped and cut to what anybody writes; "" where it wasn't sent."""
        return self.fields.get(name, "").strip()[:MOST_TEXT]

    def number(self, name: str) -> float | None:
        """A field as a finite number, None where it is blank.

        Raises
        ------
        WrongUseError
            ``field_unreadable``
        """
        return self._read(name, _finite)

    def day(self, name: str) -> date | None:
        """A field as a date (2026-03-31)."""
        return self._read(name, date.fromisoformat)

    def instant(self, name: str) -> datetime | None:
        """A field as an aware instant; milliseconds since 1970, as a browser's clock gives them."""
        return self._read(name, _instant)

    def lonlat(self) -> tuple[float, float] | None:
        """The position that was sent, WGS 84."""
        lon, lat = self.number("lon"), self.number("lat")
        if lon is None or lat is None:
            return None
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):  # noqa: PLR2004 - degrees
            raise WrongUseError("field_unreadable", name="lon, lat", value=f"{lon}, {lat}")
        return lon, lat

    def _read(self, name: str, read: Callable[[str], Value]) -> Value | None:
        word = self.text(name)
        if not word:
            return None
        try:
            return read(word)
        except ValueError as fault:
            raise WrongUseError("field_unreadable", name=name, value=word[:60]) from fault


def _finite(word: str) -> float:
    number = float(word)
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - nan differs from itself
        raise ValueError(word)
    return number


def _instant(word: str) -> datetime:
    try:
        return datetime.fromtimestamp(_finite(word) / 1000, UTC)
    except (OverflowError, OSError) as fault:  # a year that no calendar has
        raise ValueError(word) from fault


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Sent]:
    """A request's body: a form (with at most one photo, named ``photo``) or a JSON object of plain values.

    The photo can be read inside of the block; its file is closed and gone behind it.

    Raises
    ------
    BadInputError
        ``body_unreadable`` if it is neither.
    """
    if request.headers.get("content-type", "").startswith("application/json"):
        yield Sent(_json_fields(await request.body()))
        return
    async with request.form(max_files=1, max_fields=MOST_FIELDS) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        photo = form.get("photo")
        if isinstance(photo, UploadFile) and photo.size:
            yield Sent(fields, photo.file, (photo.filename or "photo")[:100])
        else:
            yield Sent(fields)


async def sent(request: Request) -> Sent:
    """A request's fields where no photo is wanted; raises as `received` does."""
    async with received(request) as said:
        return Sent(said.fields)


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as fault:
        raise BadInputError("body_unreadable") from fault
    if not isinstance(value, dict):
        raise BadInputError("body_unreadable")
    return {name: ",".join(map(str, part)) if isinstance(part, list) else str(part) for name, part in value.items()}


def given_of(said: Sent, today: date) -> Given:
    """What somebody says while taking an action."""
    helping = tuple(unit.strip() for unit in said.text("help_units").split(",") if unit.strip())
    return Given(
        on=today,
        reason=said.text("reason"),
        quantity_done=said.number("quantity_done"),
        until=said.day("until"),
        lead_unit=said.text("lead_unit"),
        help_units=helping,
        duplicate_of=said.text("duplicate_of"),
    )


def capture_of(said: Sent) -> Capture:
    """How a photo came, as the page's own script tells it."""
    return Capture(
        live=said.text("live") == "1",
        device_at=said.instant("device_at"),
        submitted_at=said.instant("submitted_at"),
        device_lonlat=said.lonlat(),
        device_accuracy_m=said.number("accuracy_m"),
        tapped=said.text("tapped") == "1",
    )
