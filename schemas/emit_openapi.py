# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document of all operations that have a route: openapi.json here and what follows
from the tables."""
import json
from pathlib import Path


def reference(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def thing(properties, required):
    return {"type": "object", "required": required, "properties": properties}


def value(schema, field):
    result = reference("schemas", field.nested.title) if field.nested else dict(field.json)
    if field.values:
        result["enum"] = schema.enums[field.values]
    names = ("minimum", "maximum") if field.type == "integer" else ("minLength", "maxLength")
    limits = dict(zip(names, (field.min, field.max)))
    result |= {name: limit for name, limit in limits.items() if limit is not None}
    if field.nullable:
        result = {"anyOf": [result, {"type": "null"}]}
    if field.list:
        result = {"type": "array", "items": result, "maxItems": field.list}
    if field.default is not None:
        result["default"] = field.default
    return result | ({"description": field.doc} if field.doc else {})


def success(operation):
    if not operation.reply:
        return {"description": "Done."}
    result = reference("schemas", operation.reply.title)
    if operation.form != "one":
        result = {"type": "array", "items": result}
    if operation.form == "page":
        result = thing({"data": result, "links": reference("schemas", "Links"),
                        "meta": reference("schemas", "Meta")}, ["data", "links", "meta"])
    return {"description": "Done.", "content": {"application/json": {"schema": result}}}


def operation_document(schema, operation):
    body = [field for field in operation.request.fields if field.place == "body"]
    required = [field.key for field in body if field.required]
    parameters = [{"name": field.key + ("[]" if field.list else ""), "in": field.place,
                   "required": field.required, "schema": value(schema, field)}
                  for field in operation.request.fields if field.place != "body"]
    if operation.kind == "command":
        parameters.append(reference("parameters", "IdempotencyKey"))
    status = str(schema.statuses[operation.status].http)
    result = {"operationId": operation.name, "tags": [operation.feature],
              "summary": operation.doc, "parameters": parameters,
              "responses": {status: success(operation), "422": reference("responses", "Invalid"),
                            "default": reference("responses", "Failure")}}
    if body:
        shape = thing({field.key: value(schema, field) for field in body}, required)
        result["requestBody"] = {"required": bool(required),
                                 "content": {"application/json": {"schema": shape}}}
    if not operation.authenticated:
        result["security"] = []
    return result


def openapi_json(schema):
    document = json.loads(Path(__file__).with_name("openapi.json").read_text())
    for message in schema.types.values():
        properties = {field.key: value(schema, field) for field in message.fields}
        document["components"]["schemas"][message.title] = thing(properties, list(properties))
    for operation in schema.operations:
        if operation.path:
            place = document["paths"].setdefault(operation.path, {})
            place[operation.method.lower()] = operation_document(schema, operation)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
