"""XLSX: a summary, a table of stops for each team's day, the issues, and what was left out.

Texts are written as texts, whatever they begin with; times of day and figures as numbers that can be summed and sorted.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from villagemap.sheets.view import PlanView
from villagemap.sheets.words import DAY_S, day_label, minutes, one_line, plain, route_title, short_title, standing
from villagemap.texts import text

LONGEST = 32_767
"""Characters that a cell holds."""

_LONGEST_NAME = 31
_NOT_IN_NAME = re.compile(r"[\[\]:*?/\\]")
_HEADER_ROW = 2
"""Below the title and the line of notes."""

_FORMATS: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 14},
    "note": {"font_color": "#555555"},
    "header": {"bold": True, "bg_color": "#F3F4F6", "bottom": 1, "text_wrap": True, "valign": "vcenter"},
    "text": {"num_format": "@", "text_wrap": True, "valign": "top"},
    "late": {"num_format": "@", "text_wrap": True, "valign": "top", "font_color": "#8B0A1A", "bold": True},
    "whole": {"num_format": "0", "valign": "top"},
    "overdue": {"num_format": "0", "valign": "top", "font_color": "#8B0A1A", "bold": True},
    "km": {"num_format": "0.0", "valign": "top"},
    "clock": {"num_format": "[hh]:mm", "valign": "top", "align": "left"},
    "day": {"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"},
    "degrees": {"num_format": "0.000000", "valign": "top"},
}

Cell = tuple[str, Any]
"""Key of `_FORMATS` and a value; None stays empty."""

Column = tuple[str, int, Callable[..., Cell]]
"""Key of its heading, width in characters, and its cell of a row."""

_STOPS: tuple[Column, ...] = (
    ("order", 5, lambda c: ("whole", c.order)),
    ("arrive", 8, lambda c: ("clock", c.arrive_s)),
    ("begin", 8, lambda c: ("clock", c.begin_s)),
    ("leave", 8, lambda c: ("clock", c.leave_s)),
    ("stop", 28, lambda c: ("text", c.name)),
    ("village", 20, lambda c: ("text", c.village)),
    ("town", 14, lambda c: ("text", c.town)),
    ("must", 6, lambda c: ("mark", c.must)),
    ("open", 8, lambda c: ("whole", len(c.issues))),
    ("overdue", 8, lambda c: ("overdue", sum(issue.overdue for issue in c.issues))),
    ("leg_km", 8, lambda c: ("km", c.leg_m / 1000)),
    ("leg_min", 8, lambda c: ("whole", minutes(c.leg_s))),
    ("wait_min", 8, lambda c: ("whole", minutes(c.wait_s))),
    ("service_min", 8, lambda c: ("whole", minutes(c.service_s))),
    ("lon", 12, lambda c: ("degrees", c.lon)),
    ("lat", 12, lambda c: ("degrees", c.lat)),
    ("id", 16, lambda c: ("text", c.stop)),
)
_ROUTES: tuple[Column, ...] = (
    ("day", 12, lambda r: ("day", r.on)),
    ("team", 18, lambda r: ("text", r.team_name)),
    ("people", 28, lambda r: ("text", ", ".join(r.people))),
    ("stops", 8, lambda r: ("whole", len(r.calls))),
    ("open", 8, lambda r: ("whole", r.open_issues)),
    ("km", 10, lambda r: ("km", r.distance_m / 1000)),
    ("driving_min", 10, lambda r: ("whole", minutes(r.travel_s))),
    ("working_min", 10, lambda r: ("whole", minutes(r.working_s))),
    ("leaves", 8, lambda r: ("clock", r.leave_s)),
    ("back", 8, lambda r: ("clock", r.back_s)),
    ("breaks", 40, lambda r: ("late", "\n".join(r.breaches))),
)
_ISSUES: tuple[Column, ...] = (
    ("day", 12, lambda r: ("day", r[0].on)),
    ("team", 18, lambda r: ("text", r[0].team_name)),
    ("order", 5, lambda r: ("whole", r[1].order)),
    ("stop", 28, lambda r: ("text", r[1].name)),
    ("number", 18, lambda r: ("late" if r[2].overdue else "text", r[2].number)),
    ("category", 18, lambda r: ("text", r[2].category)),
    ("what", 48, lambda r: ("text", r[2].what)),
    ("duty_unit", 20, lambda r: ("text", r[2].duty_unit)),
    ("due_on", 12, lambda r: ("day", r[2].due_on)),
    ("is_overdue", 8, lambda r: ("mark", r[2].overdue)),
)
_LEFT_OUT: tuple[Column, ...] = (
    ("stop", 28, lambda s: ("text", s.name)),
    ("village", 20, lambda s: ("text", s.village)),
    ("town", 14, lambda s: ("text", s.town)),
    ("must", 6, lambda s: ("mark", s.must)),
    ("why", 48, lambda s: ("text", s.why)),
    ("hints", 48, lambda s: ("text", "\n".join(s.hints))),
    ("id", 16, lambda s: ("text", s.stop)),
)


def workbook(view: PlanView) -> bytes:
    """The whole file; equal views give equal bytes."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as book:
        first = min((route.on for route in view.routes), default=None)
        made = datetime(first.year, first.month, first.day) if first else datetime(2022, 3, 1)  # noqa: DTZ001 - a file's date has no zone
        book.set_properties({"title": one_line(view.title), "created": made})
        _Book(view, book).write()
    return file.getvalue()


class _Book:
    def __init__(self, view: PlanView, book: Any) -> None:  # noqa: ANN401 - xlsxwriter has no types
        self.view, self.book = view, book
        self.formats = {key: book.add_format(says | {"font_name": "Microsoft YaHei"}) for key, says in _FORMATS.items()}
        self.names: set[str] = set()

    def write(self) -> None:
        view, lang = self.view, self.view.lang
        self.table(text("sheets.workbook.summary", lang), one_line(view.title), _ROUTES, view.routes)
        for route in view.routes:
            self.table(short_title(route), route_title(view, route), _STOPS, route.calls, day_label(route, lang))
        issues = [(route, call, issue) for route in view.routes for call in route.calls for issue in call.issues]
        self.rest("issues", _ISSUES, issues)
        self.rest("left_out", _LEFT_OUT, view.left_out)

    def rest(self, name: str, columns: Sequence[Column], rows: Sequence[Any]) -> None:
        if rows:
            said = text(f"sheets.workbook.{name}", self.view.lang)
            self.table(said, f"{said}: {len(rows)}", columns, rows)

    def table(self, name: str, title: str, columns: Sequence[Column], rows: Iterable[Any], *notes: str) -> None:
        """A sheet: title, notes, header that stays, rows; A4 across, as wide as the page."""
        sheet = self.book.add_worksheet(self.named(name))
        sheet.write_string(0, 0, _cell(title), self.formats["title"])
        told = [*notes, self.view.matrix, standing(self.view)]
        told += [text("sheets.demo", self.view.lang)] if self.view.demo else []
        sheet.write_string(1, 0, _cell(" · ".join(note for note in told if note)), self.formats["note"])
        for column, (key, width, _) in enumerate(columns):
            sheet.set_column(column, column, width)
            heading = text(f"sheets.columns.{key}", self.view.lang)
            sheet.write_string(_HEADER_ROW, column, heading, self.formats["header"])
        last = _HEADER_ROW
        for last, row in enumerate(rows, _HEADER_ROW + 1):
            for column, (_, _, cell) in enumerate(columns):
                self.put(sheet, last, column, *cell(row))
        sheet.freeze_panes(_HEADER_ROW + 1, 0)
        sheet.autofilter(_HEADER_ROW, 0, last, len(columns) - 1)
        sheet.repeat_rows(_HEADER_ROW)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)

    def put(self, sheet: Any, row: int, column: int, kind: str, value: Any) -> None:  # noqa: ANN401 - see `_Book`
        if kind == "mark":
            kind, value = ("late" if value else "text"), (text("sheets.yes", self.view.lang) if value else "")
        if value is None or value == "" or (kind == "overdue" and not value):
            return
        style = self.formats[kind]
        if kind in {"text", "late"}:
            sheet.write_string(row, column, _cell(value), style)
        elif kind == "day":
            sheet.write_datetime(row, column, value, style)
        else:
            sheet.write_number(row, column, value / DAY_S if kind == "clock" else value, style)

    def named(self, name: str) -> str:
        """A name that Excel takes and no other sheet has (it doesn't tell capitals apart; ``History`` is its own)."""
        bare = _NOT_IN_NAME.sub(" ", one_line(name)).strip("' ")[:_LONGEST_NAME] or "-"
        found, number = bare, 1
        while found.casefold() in self.names | {"history"}:
            number += 1
            mark = f" ({number})"
            found = bare[: _LONGEST_NAME - len(mark)] + mark
        self.names.add(found.casefold())
        return found


def _cell(said: str) -> str:
    return plain(said)[:LONGEST]
