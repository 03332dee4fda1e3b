"""JSON schemas as grammars: what follows the grammar parses, and has the schema's shape.

Followed are types, `properties`, `required`, `additionalProperties`, `items`, `prefixItems`,
`minItems`, `maxItems`, `enum`, `const`, `anyOf`, `oneOf`, `allOf` of objects, `$ref` into the same
document, `minimum`, `maximum` and the exclusive ones, `pattern`, else some values of `format`,
else `minLength` and `maxLength`. Other keywords, such as `multipleOf`, narrow the values further
than the grammar does: they are the caller's to check. An object with `properties` has no others
unless `additionalProperties` says so, and has them in the schema's order.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from smolctl.engine.gbnf import MAXIMUM_REPETITIONS, Grammar
from smolctl.errors import InvalidGrammar

_MAXIMUM_DEPTH = 48
_MAXIMUM_SCHEMAS = 2000

PRIMITIVES = """
space ::= "" | " " | "\\n" [ \\t]{0,20}
value ::= object | array | string | number | boolean | null
object ::= "{" space ( member ( "," space member )* space )? "}"
member ::= string ":" space value
array ::= "[" space ( value ( "," space value )* space )? "]"
string ::= "\\"" letter* "\\""
letter ::= [^"\\\\\\x00-\\x1F\\x7F] | "\\\\" ( ["\\\\bfnrt/] | "u" hex{4} )
hex ::= [0-9a-fA-F]
digits ::= [0-9]{1,15}
integer ::= "-"? ( "0" | [1-9] [0-9]{0,15} )
number ::= integer ( "." digits )? ( [eE] [-+]? [0-9]{1,2} )?
boolean ::= "true" | "false"
null ::= "null"
date ::= [0-9]{4} "-" ( "0" [1-9] | "1" [0-2] ) "-" ( "0" [1-9] | [1-2] [0-9] | "3" [0-1] )
time ::= ( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] ":" [0-5] [0-9] ( "." [0-9]{3} )? zone
zone ::= "Z" | [-+] ( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9]
uuid ::= hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}
"""
"""Rules for values of JSON's own types, and of formats."""

_FORMATS = {"date": "date", "time": "time", "date-time": 'date "T" time', "uuid": "uuid"}

JSON_OBJECT = Grammar("root ::= object" + PRIMITIVES)
"""Any JSON object."""


def grammar_of(schema: Any) -> Grammar:
    """Return the grammar of `schema`, a JSON schema as `json.loads` gives it.

    Raises `InvalidGrammar`, with the place in the schema, for one that is broken, that uses what
    cannot be followed, or that is too large.
    """
    return Grammar("\n".join(["root ::= schema", *rules_of(schema, "schema")]) + PRIMITIVES)


def rules_of(schema: Any, name: str) -> list[str]:
    """Return the rules of a grammar in which the rule `name` is `schema`; they need `PRIMITIVES`.

    The names of all of them begin with `name`. Raises `InvalidGrammar` as `grammar_of` does.
    """
    try:
        return _Translation(schema, name).rules()
    except RecursionError:
        raise InvalidGrammar("the JSON schema is nested too deeply") from None


class _Translation:
    """One schema's rules, while they are written. Its own is `name`, which begins all others."""

    def __init__(self, schema: Any, name: str) -> None:
        self._document = schema
        self._name = name
        self._rules: list[str] = []
        self._references: dict[str, str] = {"#": name}
        self._visited = 0

    def rules(self) -> list[str]:
        """Return the rules."""
        body = self._body(self._document, "#", 0)
        return [f"{self._name} ::= {body}", *self._rules]

    def _body(self, schema: Any, place: str, depth: int) -> str:
        """Return the right side of the rule for `schema`, which stands at `place`."""
        self._visited += 1
        if self._visited > _MAXIMUM_SCHEMAS or depth > _MAXIMUM_DEPTH:
            _refuse(place, "the schema is too large")
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, dict):
            _refuse(place, "an object is expected")
        beside = {key: schema[key] for key in _OBJECT_KEYWORDS & schema.keys()}
        if "$ref" in schema:
            target = {"$ref": schema["$ref"]}
            both = self._both(target, beside, place, depth)
            if both is not target:
                return self._body(both, place, depth + 1)
            return self._reference(schema["$ref"], place, depth)
        if "const" in schema:
            return _constant(schema["const"])
        if "enum" in schema:
            return " | ".join(_constant(value) for value in _list(schema, "enum", place))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                choices = _list(schema, keyword, place)
                choices = [self._both(choice, beside, place, depth) for choice in choices]
                return self._any_of(choices, f"{place}/{keyword}", depth)
        if "allOf" in schema:
            return self._body(self._merged(schema, place, depth), place, depth + 1)
        return self._typed(schema, place, depth)

    def _typed(self, schema: dict[str, Any], place: str, depth: int) -> str:
        kind = schema.get("type", _implied_type(schema))
        if isinstance(kind, list):
            choices = [{**schema, "type": name} for name in _list(schema, "type", place)]
            return self._any_of(choices, place, depth)
        if kind == "object" and (_OBJECT_KEYWORDS & schema.keys()):
            return self._object(schema, place, depth)
        if kind == "array" and (_ARRAY_KEYWORDS & schema.keys()):
            return self._array(schema, place, depth)
        if kind == "string":
            return _string(schema, place)
        if kind in ("integer", "number") and (_NUMBER_KEYWORDS & schema.keys()):
            return _number(schema, kind, place)
        if kind in ("object", "array", "integer", "number", "boolean", "null", "value"):
            return str(kind)
        return _refuse(place, f"there is no type {json.dumps(kind)}")

    def _rule(self, schema: Any, place: str, depth: int) -> str:
        """Return the name of a rule of its own for `schema`."""
        name = f"{self._name}-s{self._visited}"
        body = self._body(schema, place, depth + 1)
        self._rules.append(f"{name} ::= {body}")
        return name

    def _any_of(self, choices: list[Any], place: str, depth: int) -> str:
        names = [
            self._rule(choice, f"{place}/{number}", depth) for number, choice in enumerate(choices)
        ]
        return " | ".join(names)

    def _both(self, schema: Any, beside: dict[str, Any], place: str, depth: int) -> Any:
        """Return `schema` with what is said of objects `beside` it, if it is one of objects."""
        if not beside or not isinstance(schema, dict):
            return schema
        plain = self._plain(schema, place, depth + 1)
        is_object = plain.get("type", _implied_type(plain)) == "object"
        return {"allOf": [beside, schema]} if is_object else schema

    def _reference(self, target: Any, place: str, depth: int) -> str:
        """Return the name of the rule for what `target` points to; it may be on its way still."""
        schema = self._resolve(target, place)
        known = self._references.get(target)
        if known is not None:
            return known
        name = self._references[target] = f"{self._name}-ref{len(self._references)}"
        body = self._body(schema, target, depth + 1)
        self._rules.append(f"{name} ::= {body}")
        return name

    def _resolve(self, target: Any, place: str) -> Any:
        if not isinstance(target, str) or not (target == "#" or target.startswith("#/")):
            _refuse(place, "a $ref leads out of the schema")
        schema = self._document
        for part in target.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(schema, dict) and key in schema:
                schema = schema[key]
            elif isinstance(schema, list) and key.isdecimal() and int(key) < len(schema):
                schema = schema[int(key)]
            else:
                _refuse(place, f"there is no {target}")
        return schema

    def _merged(self, schema: dict[str, Any], place: str, depth: int) -> dict[str, Any]:
        """Return one schema for all of `allOf`: where there are several, they are objects."""
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        parts = [*_list(schema, "allOf", place), *([rest] if rest.keys() - _NOTES else [])]
        plain = [self._plain(part, place, depth) for part in parts]
        if len(plain) == 1:
            return plain[0]
        merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for part in plain:
            if part.get("type", _implied_type(part)) != "object":
                _refuse(place, "allOf is followed for objects only")
            merged["properties"].update(_mapping(part, "properties", place))
            merged["required"] += _list(part, "required", place) if part.get("required") else []
        return merged

    def _plain(self, part: Any, place: str, depth: int) -> dict[str, Any]:
        """Return `part` of an `allOf` without a `$ref` or an `allOf` of its own."""
        self._visited += 1
        if self._visited > _MAXIMUM_SCHEMAS or depth > _MAXIMUM_DEPTH:
            _refuse(place, "the schema is too large")
        if not isinstance(part, dict):
            _refuse(place, "an object is expected")
        if "$ref" in part:
            return self._plain(self._resolve(part["$ref"], place), place, depth + 1)
        return self._merged(part, place, depth + 1) if "allOf" in part else part

    def _object(self, schema: dict[str, Any], place: str, depth: int) -> str:
        properties = _mapping(schema, "properties", place)
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            _refuse(place, "required is a list of names")
        properties = {**properties, **{name: True for name in required if name not in properties}}
        members = []
        for name, value in properties.items():
            rule = self._rule(value, f"{place}/properties/{name}", depth)
            optional = name not in required
            members.append((f'{_constant(name)} ":" space {rule}', optional))
        more = schema.get("additionalProperties", not properties)
        if more is not False:
            rule = self._rule(more, f"{place}/additionalProperties", depth)
            entry = f'string ":" space {rule}'
            members.append((f'{entry} ( "," space {entry} )*', True))
        named = []
        for entry, optional in members:
            name = f"{self._name}-m{len(self._rules)}"
            self._rules.append(f"{name} ::= {entry}")
            named.append((name, optional))
        alternatives = _members(named)
        if not alternatives:
            return '"{" space "}"'
        mark = "?" if all(optional for _, optional in named) else ""
        return f'"{{" space ( ( {" | ".join(alternatives)} ) space ){mark} "}}"'

    def _array(self, schema: dict[str, Any], place: str, depth: int) -> str:
        low, high = _counts(schema, "minItems", "maxItems", place)
        prefix = schema.get("prefixItems", [])
        rest = schema.get("items", not prefix)
        if isinstance(rest, list):  # what `prefixItems` was called before 2020
            prefix, rest = rest, schema.get("additionalItems", False)
        if not isinstance(prefix, list):
            _refuse(place, "prefixItems is a list")
        items = [
            self._rule(item, f"{place}/prefixItems/{number}", depth)
            for number, item in enumerate(prefix)
        ]
        if rest is not False:
            item = self._rule(rest, f"{place}/items", depth)
            first = max(low - len(items), 0)
            last = None if high is None else max(high - len(items), 0)
            if not items:
                return _list_of(item, first, last)
            bounds = f"{{{first},{'' if last is None else last}}}"
            items.append(f'( "," space {item} ){bounds}')
            listed = ' "," space '.join(items[:-1]) + " " + items[-1]
        else:
            listed = ' "," space '.join(items)
        return f'"[" space {listed} space "]"' if items else '"[" space "]"'


_NOTES = {"title", "description", "default", "examples", "$defs", "definitions", "$schema", "$id"}
_OBJECT_KEYWORDS = {"properties", "required", "additionalProperties"}
_ARRAY_KEYWORDS = {"items", "prefixItems", "minItems", "maxItems"}
_STRING_KEYWORDS = {"minLength", "maxLength", "pattern", "format"}
_NUMBER_KEYWORDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


def _implied_type(schema: dict[str, Any]) -> str:
    """Return the type that a schema without one means by its keywords."""
    if _OBJECT_KEYWORDS & schema.keys():
        return "object"
    if _ARRAY_KEYWORDS & schema.keys():
        return "array"
    if _STRING_KEYWORDS & schema.keys():
        return "string"
    return "number" if _NUMBER_KEYWORDS & schema.keys() else "value"


def _members(members: list[tuple[str, bool]]) -> list[str]:
    """Return the ways in which the members may follow each other, one for each first member."""
    ways = []
    for number, (name, optional) in enumerate(members):
        rest = "".join(
            f' ( "," space {other} )?' if may_lack else f' "," space {other}'
            for other, may_lack in members[number + 1 :]
        )
        ways.append(name + rest)
        if not optional:
            break
    return ways


def _list_of(item: str, low: int, high: int | None) -> str:
    if high == 0:
        return '"[" space "]"'
    more = f"{{{max(low - 1, 0)},{'' if high is None else high - 1}}}"
    listed = f'( {item} ( "," space {item} ){more} space )'
    return f'"[" space {listed}{"" if low else "?"} "]"'


def _string(schema: dict[str, Any], place: str) -> str:
    if "pattern" in schema:
        return _pattern(schema, place)
    form = schema.get("format")
    if isinstance(form, str) and form in _FORMATS:
        return f'"\\"" {_FORMATS[form]} "\\""'
    low, high = _counts(schema, "minLength", "maxLength", place)
    if not low and high is None:
        return "string"
    return f'"\\"" letter{{{low},{"" if high is None else high}}} "\\""'


def _pattern(schema: dict[str, Any], place: str) -> str:
    from smolctl.engine.json_pattern import string_of  # here, and below: few schemas have these

    pattern = schema["pattern"]
    if not isinstance(pattern, str):
        _refuse(place, "pattern is a text")
    try:
        return f'"\\"" {string_of(pattern)} "\\""'
    except InvalidGrammar as error:
        _refuse(place, error.message)


def _number(schema: dict[str, Any], kind: str, place: str) -> str:
    from smolctl.engine.json_range import integers, lower_bound, numbers, upper_bound

    try:
        bounds = lower_bound(schema), upper_bound(schema)
        return integers(*bounds) if kind == "integer" else numbers(*bounds)
    except InvalidGrammar as error:
        _refuse(place, error.message)


def _constant(value: Any) -> str:
    """Return the literal of `value` as JSON."""
    try:
        text = json.dumps(value, allow_nan=False)  # ASCII only, and no control characters
    except ValueError as error:
        raise InvalidGrammar(f"the JSON schema cannot be followed: {error}") from error
    return literal(text)


def literal(text: str) -> str:
    """Return `text`, which has no control characters but line feeds, as a literal of a grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _list(schema: dict[str, Any], keyword: str, place: str) -> list[Any]:
    value = schema[keyword]
    if not isinstance(value, list) or not value:
        _refuse(place, f"{keyword} is a list that is not empty")
    return value


def _mapping(schema: dict[str, Any], keyword: str, place: str) -> dict[str, Any]:
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        _refuse(place, f"{keyword} is an object")
    return value


def _counts(schema: dict[str, Any], least: str, most: str, place: str) -> tuple[int, int | None]:
    """Return the numbers that two keywords say: 0 and None where they are not there."""
    low, high = schema.get(least), schema.get(most)
    for keyword, value in ((least, low), (most, high)):
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            _refuse(place, f"{keyword} is a number of 0 or more")
        if value > MAXIMUM_REPETITIONS:
            _refuse(place, f"{keyword} is more than {MAXIMUM_REPETITIONS}")
    low = low or 0
    if high is not None and high < low:
        _refuse(place, f"{least} is more than {most}")
    return low, high


def _refuse(place: str, reason: str) -> NoReturn:
    raise InvalidGrammar(f"the JSON schema cannot be followed: {place}: {reason}")
