"""What the API server of Kubeflow Pipelines 2.17 refuses, in its own words (backend/src/apiserver of kubeflow/pipelines)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 503: 14}  # HTTP's status: gRPC's code
TYPES = {  # IR's type: what a JSON value of it is, how the server names it, how it names the value
    "STRING": (str, "string", "string"),
    "BOOLEAN": (bool, "bool", "bool"),
    "LIST": (list, "list", "list"),
    "STRUCT": (dict, "struct", "struct"),
    "NUMBER_DOUBLE": (float, "double or integer", "number"),
    "NUMBER_INTEGER": (float, "double or integer", "number"),
}
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LIST = re.compile(r"list\[(.+)\]")
_DICT = re.compile(r"dict\(str, (.+)\)")


@dataclass
class Fault(Exception):
    """An error as the server answers it: `external` is for people, `internal` has the way it took."""

    status: int
    external: str
    internal: str = ""

    def answer(self) -> dict[str, Any]:
        """The body that grpc-gateway makes of it."""
        code = CODES[self.status]
        status = {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": self.external}
        return {"code": code, "message": self.internal or self.external, "details": [status]}


def invalid(message: str, way: str = "") -> Fault:
    return Fault(400, message, f"{way}Invalid input error: {message}")


def not_found(kind: str, name: str, way: str = "") -> Fault:
    return Fault(404, f"{kind} {name} not found", f"{way}ResourceNotFoundError: {kind} {name} not found")


def check_body(body: Any, model: str) -> None:
    """A request body against the generated client's model of it: the server refuses unknown fields and wrong types."""
    problem = _problem(body, model)
    if problem:
        raise Fault(400, f"proto: {problem}")


def check_package(documents: Mapping[str, Any]) -> pipeline_spec_pb2.PipelineSpec:
    """A pipeline_spec as the v2 template reads it: the pipeline, or it and the platform's part."""
    given = documents if "pipeline_spec" in documents else {"pipeline_spec": documents}
    spec, platform = pipeline_spec_pb2.PipelineSpec(), pipeline_spec_pb2.PlatformSpec()
    try:
        json_format.ParseDict(given["pipeline_spec"], spec)
        json_format.ParseDict(given.get("platform_spec", {}), platform)
    except json_format.ParseError as error:
        raise Fault(400, f"invalid v2 pipeline spec: {error}") from error
    if spec.schema_version != "2.1.0":
        raise Fault(
            400,
            f"KFP only supports schema version 2.1.0, but the pipeline spec has version {spec.schema_version}",
        )
    if not NAME.search(spec.pipeline_info.name):
        raise Fault(400, "invalid v2 pipeline spec: name is empty")
    if not spec.HasField("root"):
        raise Fault(400, "invalid v2 pipeline spec: root component is empty")
    return spec


def check_parameters(spec: pipeline_spec_pb2.PipelineSpec, given: Mapping[str, Any]) -> None:
    """`validatePipelineJobInputs`: nothing missing, nothing more, each of its type."""
    way = "Failed to create a new run: Failed to generate the ExecutionSpec: invalid pipeline job inputs: "
    declared = json_format.MessageToDict(spec.root.input_definitions).get("parameters", {})
    for name, one in declared.items():
        if name not in given:
            if not one.get("isOptional") and "defaultValue" not in one:
                raise invalid(
                    f"parameter {name} is not optional, yet has neither default value nor user provided value",
                    way,
                )
            continue
        python, wanted, kind = TYPES[one["parameterType"]]
        value = given[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number if python is float else isinstance(value, python)):
            value_name = "parameter value" if python is float else "input parameter"
            raise invalid(
                f"input parameter {name} requires type {wanted}, but the {value_name} is not of {kind} value type",
                way,
            )
    more = [name for name in given if name not in declared]
    if more:
        raise invalid(f"parameter(s) provided are not required by pipeline: {', '.join(more)}", way)


def read_upload(text: str) -> dict[str, Any]:
    """An uploaded file's documents as `pipeline_spec`, checked."""
    try:
        spec, *platform = yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        documents = {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec
        check_package(documents)
    except (yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        raise Fault(400, "unknown template format") from error
    return dict(documents)


def filtered(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The rows that a filter.proto (JSON) lets through; the client's commands use EQUALS alone."""
    predicates = json.loads(text).get("predicates", []) if text else []
    for one in predicates:
        if one["operation"] not in (1, "EQUALS") or "stringValue" not in one:
            raise invalid(f"Unsupported predicate: {one}")
        rows = [row for row in rows if row.get(one["key"]) == one["stringValue"]]
    return rows


def _problem(value: Any, kind: str) -> str:
    """What is wrong with a JSON value of one of the client's types; empty when nothing is."""
    items, values = _LIST.fullmatch(kind), _DICT.fullmatch(kind)
    if items:
        return (
            _first(_problem(one, items[1]) for one in value) if isinstance(value, list) else "expected a list"
        )
    if values:
        return (
            _first(_problem(one, values[1]) for one in value.values())
            if isinstance(value, dict)
            else "expected {"
        )
    model = getattr(kfp_server_api, kind, None)
    if model is None:
        python = {"str": str, "int": int, "bool": bool, "datetime": str}.get(kind, object)
        return "" if isinstance(value, python) else f"invalid value for {kind} type: {json.dumps(value)[:60]}"
    allowed = getattr(model, "allowable_values", None)
    if allowed:
        return "" if value in allowed else f"invalid value for enum type: {json.dumps(value)}"
    if not isinstance(value, dict):
        return f"syntax error: unexpected token {json.dumps(value)[:60]}"
    types = {model.attribute_map[name]: type_ for name, type_ in model.openapi_types.items()}
    for name, one in value.items():
        if name not in types:
            return f'unknown field "{name}"'
        if one is not None and (problem := _problem(one, types[name])):
            return problem
    return ""


def _first(problems: Any) -> str:
    return next((one for one in problems if one), "")
