"""Problems and plans as JSON and back: field by field as the dataclasses name them, dates as 2022-03-09."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import orjson

Word = TypeVar("Word")


def to_json(value: Any) -> bytes:  # noqa: ANN401 - any of our dataclasses
    """Canonical UTF-8 JSON: sorted keys, so that equal values are equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=_plain)


def from_json(kind: type[Word], said: bytes | str | Mapping[str, Any]) -> Word:
    """The value that `to_json` wrote; missing fields take their defaults, as a later version may have added them.

    Raises
    ------
    TypeError, ValueError
        If it isn't one.
    """
    value = said if isinstance(said, Mapping) else orjson.loads(said)
    built: Word = _built(kind, value)
    return built


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _built(kind: Any, value: Any) -> Any:  # noqa: ANN401 - a type hint, a JSON value and what it means
    """``value`` as a ``kind``: a dataclass, tuple, frozenset, enum, date or plain value."""
    origin = get_origin(kind)
    if origin is UnionType:
        return None if value is None else _built(next(one for one in get_args(kind) if one is not type(None)), value)
    if origin is tuple:
        inner = get_args(kind)
        kinds = [inner[0]] * len(value) if inner[-1] is ... else inner
        return tuple(_built(one, part) for one, part in zip(kinds, value, strict=True))
    if origin is frozenset:
        return frozenset(value)
    if isinstance(kind, type):
        return _one(kind, value)
    return value


def _one(kind: type, value: Any) -> Any:  # noqa: ANN401 - see `_built`
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise TypeError(kind.__name__)
        hints, known = _hints(kind), {field.name for field in fields(kind)}
        return kind(**{name: _built(hints[name], part) for name, part in value.items() if name in known})
    if issubclass(kind, StrEnum):
        return kind(value)
    if kind is date:
        return date.fromisoformat(value)
    return value
