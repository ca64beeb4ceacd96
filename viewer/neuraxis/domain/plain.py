"""Domain values as plain JSON values and back, without loss: for the case file and the JSON export.

Every frozen value of the domain that a reader can make is covered by its own annotations: dataclasses become objects,
tuples lists, enumerations their value. Numbers keep full precision; those that JSON lacks are written as strings.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import math
import types
import typing
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np

from neuraxis.errors import ReadError

T = TypeVar("T")
LARGEST_ARRAY = 2**33
"""Voxels; a box that claims more is damage, not a mask."""


def array_to_bytes(array: Any) -> bytes:
    """A boolean array as packed bits, compressed; the shape is kept elsewhere."""
    return zlib.compress(np.packbits(np.ascontiguousarray(array, dtype=bool)).tobytes(), 1)


def array_from_bytes(content: bytes, shape: tuple[int, ...]) -> Any:
    """The array of `array_to_bytes`; ReadError where the bytes do not hold that many voxels."""
    count = math.prod(shape)
    if not 0 <= count <= LARGEST_ARRAY or min(shape, default=0) < 0:
        raise ReadError(f"a mask of {shape} voxels", expected="a box inside a volume")
    size = -(-count // 8)
    try:
        unpacker = zlib.decompressobj()
        packed = unpacker.decompress(content, size + 1)
    except zlib.error as error:
        raise ReadError(f"a mask that cannot be unpacked ({error})", expected="compressed bits") from error
    if len(packed) != size:
        raise ReadError(f"a mask of {len(packed)} bytes", expected=f"{size} bytes for {shape} voxels")
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=count).reshape(shape).astype(bool)


def to_plain(value: Any, keep_array: Callable[[bytes], str] | None = None) -> Any:
    """A domain value as JSON values.

    `keep_array` takes the bytes of each array away and returns the key under which they are found again; without it
    they stand in the JSON as base64.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name), keep_array) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, np.ndarray):
        content = array_to_bytes(value)
        key = keep_array(content) if keep_array else base64.b64encode(content).decode("ascii")
        return {"shape": list(value.shape), "key" if keep_array else "bits": key}
    if isinstance(value, tuple | list):
        return [to_plain(v, keep_array) for v in value]
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, np.integer):
        return int(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(kind: type[T], plain: Any, find_array: Callable[[str], bytes] | None = None) -> T:
    """The value of type `kind` that `to_plain` made; keys it does not know are left out (a newer program's).

    Raises ReadError that names the field where the plain value does not fit.
    """
    return typing.cast(T, _value(kind, plain, find_array, kind.__name__))


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(kind: Any, plain: Any, find: Callable[[str], bytes] | None, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if plain is None and type(None) in arguments:
            return None
        (rest,) = (a for a in arguments if a is not type(None))
        return _value(rest, plain, find, where)
    if origin is tuple:
        return _tuple(arguments, plain, find, where)
    if origin is np.ndarray:
        return _array(plain, find, where)
    if kind is float and isinstance(plain, int | float | str) and not isinstance(plain, bool):
        return _float(plain, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass(kind, plain, find, where)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(plain)
        except ValueError:
            raise _misfit(where, plain, f"one of {', '.join(str(m.value) for m in kind)}") from None
    if kind in (str, int, bool) and type(plain) is kind:
        return plain
    raise _misfit(where, plain, getattr(kind, "__name__", str(kind)))


def _tuple(arguments: tuple[Any, ...], plain: Any, find: Callable[[str], bytes] | None, where: str) -> Any:
    if not isinstance(plain, list):
        raise _misfit(where, plain, "a list")
    kinds = (arguments[0],) * len(plain) if len(arguments) == 2 and arguments[1] is Ellipsis else arguments
    if len(kinds) != len(plain):
        raise _misfit(where, plain, f"{len(kinds)} values")
    return tuple(_value(k, p, find, f"{where}[{i}]") for i, (k, p) in enumerate(zip(kinds, plain, strict=True)))


def _array(plain: Any, find: Callable[[str], bytes] | None, where: str) -> Any:
    try:
        shape = tuple(int(n) for n in plain["shape"])
        content = find(plain["key"]) if find and "key" in plain else base64.b64decode(plain["bits"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise _misfit(where, plain, "an array with shape and bits") from None
    return array_from_bytes(content, shape)


def _float(plain: float | str, where: str) -> float:
    try:
        return float(plain)
    except ValueError:
        raise _misfit(where, plain, "a number") from None


def _dataclass(kind: Any, plain: Any, find: Callable[[str], bytes] | None, where: str) -> Any:
    if not isinstance(plain, dict):
        raise _misfit(where, plain, f"an object with the fields of {kind.__name__}")
    hints = _hints(kind)
    given = {
        f.name: _value(hints[f.name], plain[f.name], find, f"{where}.{f.name}")
        for f in dataclasses.fields(kind) if f.init and f.name in plain
    }
    try:
        return kind(**given)
    except TypeError:
        lacking = [
            f.name for f in dataclasses.fields(kind)
            if f.name not in given and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        raise ReadError(f"{where} lacks {', '.join(lacking)}", expected=f"all fields of {kind.__name__}") from None


def _misfit(where: str, plain: Any, expected: str) -> ReadError:
    shown = repr(plain)
    return ReadError(f"{where} is {shown if len(shown) < 60 else shown[:57] + '...'}", expected=expected)
