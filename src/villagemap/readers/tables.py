"""CSV and XLSX as rows of text; runs only in the child.

One header row, the first that isn't blank. A row's number is what a spreadsheet shows beside it.
"""

import codecs
import csv
import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, time, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import orjson

from villagemap.errors import BadInputError, TooLargeError
from villagemap.readers.archives import check_zip, open_zip
from villagemap.readers.contract import MEGABYTE, Limits, Parsed, ParsedRow

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = (",", "\t", ";", "，")


def read_csv(file: str, limits: Limits) -> Parsed:
    """A text table in UTF-8 (with or without BOM), GB18030, or UTF-16 with BOM, all strict.

    Delimiter comma, tab, semicolon or full-width comma, whichever the header has most of.

    Raises
    ------
    BadInputError
        ``csv_encoding``, ``csv_nul``; while reading rows ``csv_broken``, ``csv_field_too_long``
    """
    encoding = find_encoding(file)
    rows = _csv_rows(file, encoding, limits)
    columns, rows = _header(rows)
    return Parsed({"columns": columns, "encoding": encoding}, _fitted(rows, len(columns)))


def find_encoding(file: str) -> str:
    """The first encoding that all of the file is sound in; never Latin-1, never a replacement character."""
    with open(file, "rb") as stream:  # noqa: PTH123 - a name of ours in our own folder
        start = stream.read(4)
    marked = [encoding for bom, encoding in _BOMS if start.startswith(bom)]
    if marked != ["utf-16"] and (line := _line_of(file, b"\0")):
        raise BadInputError("csv_nul", line=line)
    furthest = 0
    for encoding in marked or ["utf-8", "gb18030"]:
        fault = _decoding_fault(file, encoding)
        if fault is None:
            return encoding
        furthest = max(furthest, fault)
    raise BadInputError("csv_encoding", line=furthest)


def _blocks(file: str) -> Iterator[bytes]:
    with open(file, "rb") as stream:  # noqa: PTH123 - a name of ours in our own folder
        while block := stream.read(MEGABYTE):
            yield block


def _line_of(file: str, needle: bytes) -> int:
    """Line of the first ``needle`` (one byte); 0 if there is none."""
    line = 1
    for block in _blocks(file):
        at = block.find(needle)
        if at >= 0:
            return line + block.count(b"\n", 0, at)
        line += block.count(b"\n")
    return 0


def _decoding_fault(file: str, encoding: str) -> int | None:
    """Line at which ``encoding`` fails; None if it never does."""
    decoder, line = codecs.getincrementaldecoder(encoding)("strict"), 1
    for block in _blocks(file):
        try:
            line += decoder.decode(block).count("\n")
        except UnicodeDecodeError as fault:
            return line + fault.object.count(b"\n", 0, fault.start)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return None


def _csv_rows(file: str, encoding: str, limits: Limits) -> Iterator[tuple[int, list[str]]]:
    """Rows that aren't blank, with their numbers."""
    csv.field_size_limit(limits.field_chars)
    number = 0
    with open(file, encoding=encoding, newline="") as stream:  # noqa: PTH123 - a name of ours
        delimiter = _delimiter(stream)
        stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            for number, cells in enumerate(reader, 1):
                if any(cells) and not all(map(str.isspace, filter(None, cells))):
                    yield number, cells
        except csv.Error as fault:
            if "field limit" in str(fault):
                limit = limits.field_chars
                raise BadInputError("csv_field_too_long", row=number + 1, limit=limit) from fault
            raise BadInputError("csv_broken", row=number + 1) from fault


def _delimiter(lines: Iterable[str]) -> str:
    """The delimiter that the first line with text has most of, quoted parts aside."""
    first = next((line for line in lines if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first[:100_000])
    return max(_DELIMITERS, key=lambda mark: (bare.count(mark), -_DELIMITERS.index(mark)))


def _header(rows: Iterator[tuple[int, list[str]]]) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Names of columns from the first row, and the rows below it."""
    _, cells = next(rows, (0, []))
    if not cells:
        raise BadInputError("file_empty")
    names = [" ".join(cell.split()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names, rows


def _fitted(rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[ParsedRow]:
    """Short rows filled up; blank cells beyond the header cut off, others kept and told."""
    for number, cells in rows:
        if len(cells) == width:
            yield number, cells, None, ""
        elif len(cells) < width or not any(cells[width:]):
            yield number, cells[:width] + [""] * (width - len(cells)), None, ""
        else:
            yield number, cells, None, "row_too_long"


def read_xlsx(file: str, sheet: str | None, limits: Limits) -> Parsed:
    """A sheet of a workbook, the first visible one by default; cells as text (see `cell_text`).

    Raises
    ------
    BadInputError
        ``xlsx_broken``, ``zip_unsafe``, ``sheet_unknown``, ``sheet_stray_cell``
    TooLargeError
        ``zip_bomb``, ``table_too_wide``
    """
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415

    with open_zip(file) as archive:
        check_zip(archive, limits)
        try:
            book = CalamineWorkbook.from_path(file)
            sheets = [s for s in book.sheets_metadata if s.typ == SheetTypeEnum.WorkSheet]
            names = [s.name for s in sheets]
            visible = [s.name for s in sheets if s.visible == SheetVisibleEnum.Visible] or names
            chosen = sheet or next(iter(visible), None)
            if chosen not in names:
                raise BadInputError("sheet_unknown", sheet=chosen or "", known=", ".join(names))
            check_extent(archive, chosen, limits)
            cells = book.get_sheet_by_name(chosen)
        except (CalamineError, ET.ParseError, KeyError, OSError) as fault:
            raise BadInputError("xlsx_broken") from fault
    columns, rows = _header(_sheet_rows(cells.iter_rows(), limits))
    head = {"columns": columns, "sheet": chosen, "sheets": names}
    return Parsed(head, _fitted(rows, len(columns)))


def _sheet_rows(rows: Iterable[list[Any]], limits: Limits) -> Iterator[tuple[int, list[str]]]:
    for number, cells in enumerate(rows, 1):
        texts = [cell if type(cell) is str else cell_text(cell) for cell in cells]
        if max(map(len, texts), default=0) > limits.field_chars:
            raise BadInputError("csv_field_too_long", row=number, limit=limits.field_chars)
        if any(text and not text.isspace() for text in texts):
            yield number, texts


def cell_text(cell: object) -> str:
    """Text of a cell: whole numbers without ".0", dates in ISO form, TRUE and FALSE, nothing as ""."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)  # noqa: PLR2004
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return "" if cell is None else str(cell)


_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*(?<!/)>(?:[^<]|<[^/])')
"""A cell that holds something: neither <c …/> nor <c …></c>."""

_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_TAIL = 200


def check_extent(archive: zipfile.ZipFile, sheet: str, limits: Limits) -> None:
    """Refuse a sheet whose filled cells span more than a parser can hold, before one tries.

    One stray cell in the last column and row makes a parser ask for terabytes. Empty formatted cells don't count.

    Raises
    ------
    BadInputError
        ``sheet_stray_cell``
    TooLargeError
        ``table_too_wide``
    """
    last_row, width, columns, tail = 0, 0, set[bytes](), b""
    with archive.open(_member_of(archive, sheet)) as stream:
        while block := stream.read(MEGABYTE):
            found = _CELL.findall(tail + block)
            tail = block[-_TAIL:]
            columns.update({column for column, _ in found})
            last_row = max(map(int, {row for _, row in found}), default=last_row)
            width = max(map(_column_number, columns), default=0)
            if width * last_row > limits.cells or last_row > limits.rows * 2:
                cell = f"{max(columns, key=_column_number).decode()}{last_row}"
                raise BadInputError("sheet_stray_cell", sheet=sheet, cell=cell)
    if width > limits.columns:
        raise TooLargeError("table_too_wide", columns=width, limit=limits.columns)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _member_of(archive: zipfile.ZipFile, sheet: str) -> str:
    """The archive's member that holds ``sheet``."""
    names = {name.casefold(): name for name in archive.namelist()}
    book = ET.fromstring(archive.read(names["xl/workbook.xml"]))  # noqa: S314 - expat loads nothing from outside
    links = ET.fromstring(archive.read(names["xl/_rels/workbook.xml.rels"]))  # noqa: S314
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    for entry in book.iter():
        if entry.tag.endswith("}sheet") and entry.get("name") == sheet:
            target = targets[entry.get(_RELATION)]
            path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return names[path.casefold()]
    raise KeyError(sheet)


def json_text(value: object) -> str:
    """Text of a JSON value; objects and lists stay JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return cell_text(value)
