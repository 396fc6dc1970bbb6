# Copyright: Contributors to kubestrap.aws
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the parameters of a call are what the service's model demands: members, lengths, ranges, patterns, enums."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import Shape

from .aws_errors import aws_error
from .call import Call, Response
from .identify import model_of

_TYPES = {"string": str, "list": list, "structure": dict, "map": dict, "integer": int, "long": int, "boolean": bool}


def refuse(call: Call) -> Response | None:
    """AWS' ValidationException for parameters that break the model of the operation, None when none do."""
    model = model_of(call.service)
    shape = model.operation_model(call.operation).input_shape if model else None
    problems = list(_problems(shape, call.params, "")) if shape else []
    if not problems:
        return None
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return aws_error(call, "ValidationException", f"{count}: {'; '.join(problems)}")


def _problems(shape: Shape, value: Any, place: str) -> Iterator[str]:
    told = f"Value '{value}' at '{place}' failed to satisfy constraint: Member must"
    kind = _TYPES.get(shape.type_name)
    if kind and not isinstance(value, kind):
        yield f"{told} be a {shape.type_name}"
    elif shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"Value null at '{_below(place, name)}' failed to satisfy constraint: Member must not be null"
        for name, entry in value.items():
            if name in shape.members:
                yield from _problems(shape.members[name], entry, _below(place, name))
    else:
        yield from (f"{told} {rule}" for rule in _broken(shape, value))
        if shape.type_name == "list":
            for number, entry in enumerate(value, 1):
                yield from _problems(shape.member, entry, f"{place}.{number}.member")
        elif shape.type_name == "map":
            for name, entry in value.items():
                yield from _problems(shape.key, name, f"{place}.key")
                yield from _problems(shape.value, entry, f"{place}.{name}.value")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    limits = shape.metadata
    size, noun = (value, "have value") if shape.type_name in ("integer", "long") else (None, "have length")
    if size is None and isinstance(value, (str, list, dict)):
        size = len(value)
    if size is not None and size < limits.get("min", size):
        yield f"{noun} greater than or equal to {limits['min']}"
    if size is not None and size > limits.get("max", size):
        yield f"{noun} less than or equal to {limits['max']}"
    if "pattern" in limits and not re.search(limits["pattern"], value):
        yield f"satisfy regular expression pattern: {limits['pattern']}"
    if limits.get("enum") and value not in limits["enum"]:
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"


def _below(place: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{place}.{name}" if place else name
