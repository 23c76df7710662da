"""Attributes that are computed when first needed, also by several threads at once."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

_Value = TypeVar("_Value")


class lazy(Generic[_Value]):  # noqa: N801 - a decorator, as functools.cached_property is
    """Attribute that a method computes once for each object.

    ``functools.cached_property`` of Python 3.11 holds one lock for all objects of a class, so that
    threads wait for each other. Here two that come at once may both compute it.
    """

    def __init__(self, compute: Callable[[Any], _Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[_Value]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> _Value: ...
    def __get__(self, instance: object | None, owner: type) -> "lazy[_Value] | _Value":
        if instance is None:
            return self
        value: _Value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value
