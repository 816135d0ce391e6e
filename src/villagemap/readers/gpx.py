"""The track points of a GPX file as rows of text; runs only in the child.

GPX 1.0 and 1.1: ``gpx/trk/trkseg/trkpt`` with the attributes ``lat`` and ``lon`` (WGS 84 degrees) and, if the device
knew it, a ``time`` in UTC. A GPX has no document type, so a file with one is refused before any entity is declared;
nothing is ever fetched or expanded.
"""

from collections.abc import Iterator
from typing import NoReturn
from xml.parsers import expat

from villagemap.errors import BadInputError
from villagemap.readers.contract import MEGABYTE, Limits, Parsed, ParsedRow

COLUMNS = ["lon", "lat", "time"]
_MOST_CHARS = 64
"""Of a coordinate or an instant; longer ones can't be read anyway."""
_MOST_DEPTH = 100


def read_gpx(file: str, _limits: Limits) -> Parsed:
    """Track points in the order of the file; a row's number is its line.

    Raises
    ------
    BadInputError
        ``gpx_doctype``, ``gpx_other``; while reading rows ``gpx_broken``
    """
    return Parsed({"columns": COLUMNS, "crs": "wgs84"}, _rows(file))


def _rows(file: str) -> Iterator[ParsedRow]:
    points = _Points()
    with open(file, "rb") as stream:  # noqa: PTH123 - a name of ours in our own folder
        while block := stream.read(MEGABYTE):
            yield from points.feed(block)
        yield from points.feed(b"", final=True)


class _Points:
    """What the parser has come upon."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.EntityDeclHandler = _refuse
        self._parser.ExternalEntityRefHandler = _refuse
        self._path: list[str] = []
        self._row: tuple[int, str, str] | None = None
        self._time: list[str] | None = None
        self._said = ""
        self._found: list[ParsedRow] = []

    def feed(self, block: bytes, *, final: bool = False) -> list[ParsedRow]:
        """The points that this part of the file brings to an end."""
        try:
            self._parser.Parse(block, final)
        except expat.ExpatError as fault:
            raise BadInputError("gpx_broken", line=fault.lineno) from fault
        found, self._found = self._found, []
        return found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        plain = name.rpartition("}")[2]
        if (not self._path and plain != "gpx") or len(self._path) >= _MOST_DEPTH:
            raise BadInputError("gpx_other", name=plain[:_MOST_CHARS])
        self._path.append(plain)
        if self._path[1:] == ["trk", "trkseg", "trkpt"]:
            lon, lat = (attributes.get(axis, "")[:_MOST_CHARS] for axis in ("lon", "lat"))
            self._row, self._said = (self._parser.CurrentLineNumber, lon, lat), ""
        elif self._path[1:] == ["trk", "trkseg", "trkpt", "time"]:
            self._time = []

    def _text(self, text: str) -> None:
        if self._time is not None and sum(map(len, self._time)) < _MOST_CHARS:
            self._time.append(text)

    def _end(self, _name: str) -> None:
        path, self._path = self._path, self._path[:-1]
        if self._time is not None and path[-1] == "time":
            self._said, self._time = "".join(self._time).strip()[:_MOST_CHARS], None
        elif self._row is not None and path[1:] == ["trk", "trkseg", "trkpt"]:
            line, lon, lat = self._row
            self._found.append((line, [lon, lat, self._said], None, ""))
            self._row = None


def _refuse(*_declared: object) -> NoReturn:
    raise BadInputError("gpx_doctype")
