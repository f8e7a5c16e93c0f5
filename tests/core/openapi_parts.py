"""The document as tests read it: its operations, and validators of what they take and answer.

Belongs here: finding and validating. Does not: any expectation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen
from jsonschema import Draft202012Validator, FormatChecker

from rrgate.core.routes import Route
from rrgate.core.table import document

DOCUMENT: Final = document()
SCHEMAS: Final[Mapping[str, Any]] = DOCUMENT["components"]["schemas"]
JSON: Final = "application/json"


@frozen
class Operation:
    """One of the document."""

    method: str
    path: str
    told: Mapping[str, Any]

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema and example of its body."""
        body: Mapping[str, Any] | None = self.told.get("requestBody")
        return None if body is None else body["content"][JSON]

    def answer(self, status: int) -> Mapping[str, Any]:
        """What is said of an answer, wherever it stands. Raises LookupError for a status that it does not have."""
        answer: Mapping[str, Any] = self.told["responses"][str(status)]
        if "$ref" in answer:
            answer = DOCUMENT["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        return answer


def operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, told in methods.items():
            yield Operation(method.upper(), path, told)


def operation_of(route: Route) -> Operation:
    return Operation(route.method, route.template, DOCUMENT["paths"][route.template][route.method.lower()])


def complaints(schema: Mapping[str, Any], value: object) -> list[str]:
    """What is wrong with `value`, in words."""
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(value)]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """`schema`, or what it points at."""
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
