"""Every service, method, message, field and enum value of the contract says what it is."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

PROTO = Path(__file__).parents[2] / "proto"

# Numbers of the fields of the descriptors' own messages; they make the path of a part.
MESSAGE, ENUM, SERVICE = 4, 5, 6
FIELD, NESTED = 2, 3
VALUE = 2
METHOD = 2


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    out = tmp_path_factory.mktemp("descriptors") / "set.pb"
    well_known = resources.files("grpc_tools") / "_proto"
    sources = [str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))]
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", "--include_source_info", f"--descriptor_set_out={out}"]
    assert protoc.main([*arguments, *sources]) == 0
    return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def parts(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Returns everything that needs a comment, by its path."""
    found: dict[tuple[int, ...], str] = {}
    for m, message in enumerate(file.message_type):
        found[MESSAGE, m] = message.name
        for f, field in enumerate(message.field):
            found[MESSAGE, m, FIELD, f] = f"{message.name}.{field.name}"
    for e, enum in enumerate(file.enum_type):
        found[ENUM, e] = enum.name
        for v, value in enumerate(enum.value):
            found[ENUM, e, VALUE, v] = value.name
    for s, service in enumerate(file.service):
        found[SERVICE, s] = service.name
        for r, method in enumerate(service.method):
            found[SERVICE, s, METHOD, r] = f"{service.name}.{method.name}"
    return found


def test_everything_in_the_contract_is_documented(files: list[FileDescriptorProto]) -> None:
    silent, seen = [], 0
    for file in files:
        comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
        for path, name in parts(file).items():
            seen += 1
            if len(comments.get(path, "")) < 3:
                silent.append(f"{file.name}: {name}")
    assert seen > 300, "the contract is larger than what was looked at"
    assert not silent


def test_the_services_are_the_promised_ones(files: list[FileDescriptorProto]) -> None:
    services = {service.name for file in files for service in file.service}
    assert services == {"Assignment", "Recording", "Admin", "Analysis"}
