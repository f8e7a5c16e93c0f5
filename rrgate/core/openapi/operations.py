"""From a route to its operation: body, answers, who may.

Belongs here: what follows from a Route. Does not: schemas of nouns (nouns.py), the document around it (document.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen, resolve_types

from rrgate.core.access import Role, Who, described
from rrgate.core.answers import deleted
from rrgate.core.openapi.examples import changes_example, example_of, new_example
from rrgate.core.openapi.nouns import Forms, PublishedNoun
from rrgate.core.openapi.parameters import names_in, parameters_of
from rrgate.core.openapi.types import REFERENCE
from rrgate.core.routes import Route
from rrgate.core.shapes import Message, Success
from rrgate.model import Configuration
from rrgate.model.published import published_fields
from rrgate.schemas import Schema

JSON: Final = "application/json"
HTML: Final = "text/html"

SECURITY: Final = "userToken"

REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BadRequest", "Something is not right: see `details`; or there is not exactly one `Host`."),
    401: ("Unauthorized", "No valid user token."),
    403: ("Forbidden", "Your role is too small, your token too narrow, or only operators may."),
    404: ("NotFound", "There is nothing here, or it is not yours: the two are told in the same bytes."),
    409: ("Conflict", "It conflicts with what there is."),
    413: ("PayloadTooLarge", "The body has more than 1,000,000 bytes, or 65,536 without a valid user token."),
    415: ("UnsupportedMediaType", "The body is not JSON."),
    421: ("MisdirectedRequest", "The `Host` is none of ours."),
    429: ("TooManyRequests", "Too many wrong tokens, requests of yours, or of these under way; see `Retry-After`."),
    500: ("InternalServerError", "Something went wrong here; the gateway's log says what."),
    503: ("ServiceUnavailable", "The gateway's disk is full, and nothing was changed; or it starts or drains."),
}
"""The name of each in the document, and when it is answered."""


@frozen
class Operations:
    """Makes operations. `nouns`: by plural."""

    forms: Forms
    nouns: Mapping[str, PublishedNoun]

    @property
    def schemas(self) -> dict[str, Schema]:
        """Of the document, so far."""
        return self.forms.answered.schemas

    def of(self, route: Route) -> dict[str, Any]:
        """The operation of a route. Raises LookupError where it follows from nothing what it takes or answers."""
        operation: dict[str, Any] = {
            "operationId": operation_id(route),
            "tags": [tag_of(route)],
            "summary": route.help.rstrip("."),
            "description": f"{route.help} Who may: {described(route.needs)}.",
            "x-who": described(route.needs),
        }
        if parameters := parameters_of(route):
            operation["parameters"] = parameters
        if route.takes_body or route.bodiless:
            operation["requestBody"] = self._body(route)
        success = self._success(route)
        answers = {str(success.status): self._answer(route, success)}
        for status in sorted(statuses_of(route)):
            answers[str(status)] = {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
        if success.pages:
            answers["400"] = {
                "description": "The link does not work, or something is not right.",
                "content": {HTML: {"schema": {"type": "string"}}, JSON: {"schema": {"$ref": f"{REFERENCE}Error"}}},
            }
        operation["responses"] = answers
        if route.needs is Who.ANYBODY:
            operation["security"] = []
        return operation

    # Bodies.

    def _body(self, route: Route) -> dict[str, Any]:
        if route.bodiless:
            nothing = {"type": "object", "additionalProperties": False}
            return {"required": False, "content": {JSON: {"schema": nothing, "example": {}}}}
        schema, example = self._written(route)
        return {"required": True, "content": {JSON: {"schema": schema, "example": example}}}

    def _written(self, route: Route) -> tuple[Schema, Any]:
        if route.noun is None:
            raise LookupError(f"{route.method} {route.template} has a body: say of which `noun` or class")
        if route.noun is Configuration:
            return self._configuration()
        known = self._noun(route.noun)
        extras = route.extras if route.extras is not None else known.extras
        if not published_fields(route.noun) and route.extras is None:
            schema = self.forms.written.of_class(route.noun)
            return schema, example_of(schema, self.schemas)
        if route.method == "POST":
            name = f"New{route.noun.__name__}" if route.extras is None else _upper(operation_id(route))
            made = self.schemas.get(name) or self.forms.new(route.noun, extras)
            example = new_example(made, self.schemas)
        else:
            name = f"{route.noun.__name__}Changes"
            made = self.schemas.get(name) or self.forms.changes(known, extras)
            example = changes_example(made, self.schemas)
        self.schemas[name] = made
        return {"$ref": REFERENCE + name}, example

    def _configuration(self) -> tuple[Schema, Any]:
        name = "ConfigurationChanges"
        if name not in self.schemas:
            self.schemas[name] = self.forms.nested(Configuration, answered=False)
        bare = {"$ref": REFERENCE + name}
        wrapped = {"type": "object", "properties": {"configuration": bare}, "required": ["configuration"]}
        return {"anyOf": [bare, {**wrapped, "additionalProperties": False}]}, {"limits": {"requestsPerMinute": 100}}

    def _noun(self, class_: type[Any]) -> PublishedNoun:
        known = next((each for each in self.nouns.values() if each.noun is class_), None)
        return known or PublishedNoun("", class_)

    # Answers.

    def _success(self, route: Route) -> Success:
        if route.success is not None:
            return route.success
        if route.method == "DELETE":
            return Success(of=Message)
        segments = [part for part in route.template.split("/") if part and not part.startswith("{")]
        known = self.nouns.get(segments[-1])
        if known is None:
            raise LookupError(f"{route.method} {route.template} ends with the plural of no noun: say its `success`")
        return Success(name=known.plural, of=known.noun)

    def _answer(self, route: Route, success: Success) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": "Success."}
        if success.status == 303:
            answer = {
                "description": "To the provider.",
                "headers": {"Location": {"description": "Where to go.", "schema": {"type": "string"}}},
            }
        if success.media_type != JSON:
            answer["content"] = {success.media_type: {"schema": {"type": "string"}}}
            return answer
        schema = self._answered(route, success)
        example = example_of(schema, self.schemas)
        if route.method == "DELETE":
            example = deleted(_singular(tag_of(route))).document
        answer["content"] = {JSON: {"schema": schema, "example": example}}
        return answer

    def _answered(self, route: Route, success: Success) -> Schema:
        of = self.forms.answered.of_class
        if success.of is None:
            return {"type": "object"}
        if success.name is None:
            return of(success.of)
        one = of(success.of) if success.of is not Configuration else self._shown_configuration()
        properties: dict[str, Schema] = {success.name: {"type": "array", "items": one} if success.listed else one}
        if success.also is not None:
            also = self.forms.answered.fields_of(resolve_types(success.also, include_extras=True))
            properties.update(also["properties"])
        properties["message"] = {"type": "string", "examples": ["Success"]}
        required = list(properties)
        if "cursor" in route.parameters:
            help = "The next request's `cursor`, when there is more."
            properties["nextCursor"] = {"type": "string", "description": help}
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def _shown_configuration(self) -> Schema:
        name = "Configuration"
        if name not in self.schemas:
            self.schemas[name] = self.forms.nested(Configuration, answered=True)
        return {"$ref": REFERENCE + name}


def statuses_of(route: Route) -> set[int]:
    """With which statuses a route can refuse, as far as that follows from it."""
    found = {400, 413, 421, 500, *route.statuses}
    if route.needs is not Who.ANYBODY:
        found |= {401, 429}
        if route.needs not in (Who.ANY_USER, Who.SELF, Role.USER):
            found.add(403)
    if names_in(route.template) and route.needs is not Who.ANYBODY:
        found.add(404)
    if route.takes_body or route.bodiless:
        found.add(415)
    if route.writes:
        found |= {409, 503}
    return found


def operation_id(route: Route) -> str:
    """`getClientProxyRules` for `GET /clients/{clientId}/proxies/{proxyId}/rules`."""
    parts = [part for part in route.template.split("/") if part]
    words = [route.method.lower()]
    for place, part in enumerate(parts):
        if part.startswith("{"):
            continue
        followed = parts[place + 1 : place + 2]
        one = bool(followed) and followed[0].startswith("{")
        words += [word.capitalize() for word in (_singular(part) if one else part).replace(".", "-").split("-")]
        if one and _singular(part) == part:
            words.append(_upper(followed[0][1:-1].removesuffix("Id")))
    return "".join(words)


def tag_of(route: Route) -> str:
    """The heading under which a route stands: the file that it is in."""
    handler: Any = getattr(route.handler, "func", route.handler)
    module: str = handler.__module__
    return module.rpartition(".")[2].replace("_", " ").capitalize()


def _singular(plural: str) -> str:
    return plural[:-3] + "y" if plural.endswith("ies") else plural.removesuffix("s")


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
