"""The document as a page to read: one file of HTML with its style in it, without a script and without another host.

Belongs here: the page's outline and its parts. Does not: how it looks (style.py), the document (document.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from rrgate.core.openapi.style import STYLE
from rrgate.core.openapi.types import REFERENCE

Document = Mapping[str, Any]

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
)
"""Header fields of the page: nothing is loaded or run, and this style alone is applied."""

_METHODS: Final = ("get", "post", "put", "delete")


def page_of(document: Document) -> str:
    """The page of an OpenAPI document of ours."""
    info = document["info"]
    title = escape(info["title"])
    sections = [(tag["name"], _operations(document, tag["name"])) for tag in document["tags"]]
    schemas = document["components"]["schemas"]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>"
        '<a class="skip" href="#main">To the content</a>'
        f'<nav aria-label="Contents"><p class="title">{title}</p><ul>'
        + "".join(_entry(_anchor(tag), tag) for tag, _ in sections)
        + _entry("refusals", "Refusals")
        + _entry("objects", "Objects")
        + "</ul></nav>"
        f'<main id="main"><header><h1>{title} <small>{escape(info["version"])}</small></h1>'
        f"<p>{_text(info['description'])}</p>{_security(document)}"
        '<p>For programs: <a href="openapi.json">openapi.json</a>.</p></header>'
        + "".join(
            f'<section aria-labelledby="{_anchor(tag)}"><h2 id="{_anchor(tag)}">{escape(tag)}</h2>{inside}</section>'
            for tag, inside in sections
        )
        + _refusals(document)
        + '<section aria-labelledby="objects"><h2 id="objects">Objects</h2>'
        + "".join(_component(name, schema) for name, schema in schemas.items())
        + "</section></main></body></html>"
    )


def _entry(anchor: str, words: str) -> str:
    return f'<li><a href="#{anchor}">{escape(words)}</a></li>'


def _security(document: Document) -> str:
    schemes = document["components"]["securitySchemes"].values()
    return "".join(f"<p><code>{escape(each['name'])}</code>: {_text(each['description'])}</p>" for each in schemes)


def _operations(document: Document, tag: str) -> str:
    return "".join(
        _operation(path, method, of_path[method])
        for path, of_path in document["paths"].items()
        for method in _METHODS
        if method in of_path and tag in of_path[method]["tags"]
    )


def _operation(path: str, method: str, operation: Document) -> str:
    parts = [f"<p>Who may: <strong>{_text(operation['x-who'])}</strong></p>"]
    if parameters := operation.get("parameters"):
        rows = (
            (_code(each["name"]), each["in"], _type(each["schema"]), _text(each["description"]))
            for each in parameters
        )
        parts.append("<h4>Parameters</h4>" + _table(("name", "in", "type", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append("<h4>Body</h4>" + _content(body["content"]))
    for status, answer in operation["responses"].items():
        if "content" in answer and status != "400":
            parts.append(f"<h4>Answer {status}</h4>{_content(answer['content'])}")
    refusals = [status for status, answer in operation["responses"].items() if status >= "400"]
    parts.append("<p>Refusals: " + ", ".join(f'<a href="#refusals">{each}</a>' for each in refusals) + "</p>")
    return (
        f'<details id="{escape(operation["operationId"])}"><summary>'
        f'<span class="method {method}">{method.upper()}</span> '
        f"<code>{_path(path)}</code> <span class=\"help\">{_text(operation['summary'])}</span></summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _path(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


def _content(content: Document) -> str:
    parts = []
    for media_type, each in content.items():
        schema = each["schema"]
        if media_type != "application/json":
            parts.append(f"<p><code>{escape(media_type)}</code></p>")
            continue
        fields = _fields(schema) if "properties" in schema else f"<p>{_type(schema)}</p>"
        parts.append(fields)
        if "example" in each:
            text = escape(json.dumps(each["example"], indent=2, ensure_ascii=False))
            parts.append(f'<pre tabindex="0" aria-label="Example"><code>{text}</code></pre>')
    return "".join(parts)


def _component(name: str, schema: Document) -> str:
    help = f"<p>{_text(schema['description'])}</p>" if "description" in schema else ""
    fields = _fields(schema) if "properties" in schema else f"<p>{_type(schema)}</p>"
    return f'<article id="{name}"><h3>{escape(name)}</h3>{help}{fields}</article>'


def _fields(schema: Document) -> str:
    required = schema.get("required", ())
    return _table(
        ("field", "type", "", "meaning"),
        (
            (_code(name), _type(each), _notes(each, name in required), _text(each.get("description")))
            for name, each in schema["properties"].items()
        ),
    )


def _notes(schema: Document, required: bool) -> str:
    notes = ["required"] if required else []
    notes += ["read only"] if schema.get("readOnly") else []
    notes += ["write only"] if schema.get("writeOnly") else []
    if "default" in schema:
        notes.append(f"default <code>{escape(json.dumps(schema['default']))}</code>")
    return ", ".join(notes)


def _type(schema: Document) -> str:
    """A type in words, with links to objects."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(REFERENCE))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(_code(json.dumps(each)) for each in schema["enum"])
    types = schema.get("type", "anything")
    names = types if isinstance(types, list) else [types]
    if "array" in names and "items" in schema:
        rest = "".join(f" or {each}" for each in names if each != "array")
        return f"array of {_type(schema['items'])}{rest}"
    inner = schema.get("properties")
    if inner:
        return "object of " + ", ".join(f"<code>{escape(name)}</code> ({_type(each)})" for name, each in inner.items())
    words = " or ".join(names) + (" (time)" if schema.get("format") == "date-time" else "")
    return escape(words + _bounds(schema))


def _bounds(schema: Document) -> str:
    for least, most, what in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
    ):
        if least in schema and most in schema:
            return f", {schema[least]} to {schema[most]}{what}"
        if most in schema:
            return f", at most {schema[most]}{what}"
    return ""


def _refusals(document: Document) -> str:
    codes: dict[str, str] = {}
    for of_path in document["paths"].values():
        for operation in of_path.values():
            for status, answer in operation["responses"].items():
                if "$ref" in answer:
                    codes[status] = answer["$ref"].rpartition("/")[2]
    responses = document["components"]["responses"]
    rows = ((f"<code>{status}</code>", _text(responses[name]["description"])) for status, name in sorted(codes.items()))
    return (
        '<section aria-labelledby="refusals"><h2 id="refusals">Refusals</h2>'
        f'<p>All of them are an <a href="#Error">Error</a>.</p>{_table(("status", "when"), rows)}</section>'
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = "".join(f'<th scope="col">{each}</th>' if each else "<td></td>" for each in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="table" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _text(words: str | None) -> str:
    """Words of the document, in which backticks mark code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(words or ""))


def _anchor(tag: str) -> str:
    return "of-" + tag.lower().replace(" ", "-")
