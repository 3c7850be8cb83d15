# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document of all operations that have a route."""
import json

from model import BUILT_IN_ENUMS

FORMATS = {"uuid": {"type": "string", "format": "uuid"}, "boolean": {"type": "boolean"},
           "timestamp": {"type": "string", "format": "date-time"},
           "date": {"type": "string", "format": "date"}, "json": {},
           "money_text": {"type": "string"}}
MONEY = {"value": {"type": "integer", "format": "int64", "minimum": -10**15, "maximum": 10**15,
                   "description": "Of the smallest unit; a credit when >= 0, else a debit."},
         "currency": {"type": "string", "enum": BUILT_IN_ENUMS["Currency"]}}
PAGE_PARTS = {
    "Links": {name: {"type": ["string", "null"]} for name in ("first", "last", "prev", "next")},
    "Meta": {name: {"type": kind} for name, kind in (
        ("current_page", "integer"), ("from", ["integer", "null"]), ("last_page", "integer"),
        ("path", "string"), ("per_page", "integer"), ("to", ["integer", "null"]),
        ("total", "integer"))}}


def reference(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def thing(properties, required):
    return {"type": "object", "required": list(required), "properties": properties}


def one_value(schema, field, request):
    if field.nested:
        return reference("schemas", field.nested.title)
    if field.type == "money":
        return reference("schemas", "MoneyInput" if request else "Money")
    if field.type == "enum":
        return {"type": "string", "enum": schema.enums[field.values]}
    limits = {}
    if field.type == "integer":
        names = ("minimum", "maximum")
    else:
        names = ("minLength", "maxLength")
    limits = {name: value for name, value in zip(names, (field.min, field.max))
              if value is not None}
    if field.type == "integer":
        return {"type": "integer", "format": "int64", **limits}
    return dict(FORMATS[field.type]) if field.type in FORMATS else {"type": "string", **limits}


def value(schema, field, request=False):
    result = one_value(schema, field, request)
    if field.nullable:
        result = {"anyOf": [result, {"type": "null"}]}
    if field.list:
        result = {"type": "array", "items": result, "maxItems": field.list}
    if field.default is not None:
        result["default"] = field.default
    if field.doc:
        result["description"] = field.doc
    return result


def view(schema, message):
    return thing({f.key: value(schema, f) for f in message.fields}, [f.key for f in message.fields])


def parameters(schema, operation):
    result = []
    for field in operation.request.fields:
        if field.place != "body":
            name = field.key + ("[]" if field.list else "")
            result.append({"name": name, "in": field.place, "required": field.required,
                           "schema": value(schema, field, True)})
    if operation.kind == "command":
        result.append(reference("parameters", "IdempotencyKey"))
    return result


def success(operation):
    if not operation.reply:
        return {"description": "Done."}
    result = reference("schemas", operation.reply.title)
    if operation.form != "one":
        result = {"type": "array", "items": result}
    if operation.form == "page":
        result = thing({"data": result, "links": reference("schemas", "Links"),
                        "meta": reference("schemas", "Meta")}, ("data", "links", "meta"))
    return {"description": "Done.", "content": {"application/json": {"schema": result}}}


def operation_document(schema, operation):
    body = [f for f in operation.request.fields if f.place == "body"]
    statuses = schema.statuses
    result = {"operationId": operation.name, "tags": [operation.feature],
              "summary": operation.doc, "parameters": parameters(schema, operation),
              "responses": {str(statuses[operation.status]["http"]): success(operation),
                            "422": reference("responses", "Invalid"),
                            "default": reference("responses", "Failure")}}
    if body:
        shape = thing({f.key: value(schema, f, True) for f in body},
                      [f.key for f in body if f.required])
        result["requestBody"] = {"required": any(f.required for f in body),
                                 "content": {"application/json": {"schema": shape}}}
    if not operation.authenticated:
        result["security"] = []
    return result


def openapi_json(schema):
    text = {"type": "string"}
    errors = {"type": "object", "additionalProperties": {"type": "array", "items": text}}
    schemas = {"Money": thing({**MONEY, "formatted": text}, ("value", "currency", "formatted")),
               "MoneyInput": thing(MONEY, ("value", "currency")),
               "Failure": thing({"message": text}, ("message",)),
               "Invalid": thing({"message": text, "errors": errors}, ("message", "errors")),
               **{name: thing(part, part) for name, part in PAGE_PARTS.items()}}
    schemas |= {message.title: view(schema, message) for message in schema.types.values()}
    responses = {name: {"description": description, "content": {
        "application/json": {"schema": reference("schemas", name)}}} for name, description in (
            ("Failure", "A failure, with its sentence."),
            ("Invalid", "Every wrong field, by its dotted path."))}
    paths = {}
    for operation in schema.operations:
        if operation.path:
            place = paths.setdefault(operation.path, {})
            place[operation.method.lower()] = operation_document(schema, operation)
    key = {"name": "Idempotency-Key", "in": "header", "required": False,
           "description": "A repeat within 24 hours gets the stored answer.",
           "schema": {"type": "string", "minLength": 1, "maxLength": 255}}
    document = {"openapi": "3.1.0",
                "info": {"title": "Valorize", "version": "1",
                         "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
                "servers": [{"url": "/"}], "security": [{"bearer": []}], "paths": paths,
                "components": {
                    "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
                    "parameters": {"IdempotencyKey": key},
                    "responses": responses, "schemas": schemas}}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
