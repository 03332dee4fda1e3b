"""Manifests, configs, descriptors and layers, as they are published and as strangers write them."""

import contextlib
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import IntegrityError, NotRunnable, SmolctlError
from smolctl.model import document
from smolctl.model.artifact import Artifact
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.layer import FILE_PATH, Layer, Packing, Role, checked_path
from smolctl.model.manifest import ImageIndex, Manifest

SHA = "sha256:"
GGUF = SHA + "c7790a0a70161f1bfd441cf157313e9efb8fcd1f0831193101def035ead23b32"
LICENSE = SHA + "d0ce8fae4da6de6e5a4b85ebee156ac8f3ab6d8407caf4493968d34e9bc3939e"
TEMPLATE = SHA + "6ac6326eb0c2f061fdb7c3354ac08107f85962d43767cda5584f782f5bc275af"
CONFIG = SHA + "a404b05a0b339e14b517c3ff6d301b5524371424f06be9d10085b285f09c8f7c"
MODEL = SHA + "4c2f9680108c2c8f25433573b2af1894cbe3ff8550f13df1cbb0362445154676"


def _descriptor(media_type, size=1, digest=GGUF, **annotations):
    return Descriptor(media_type, Digest.parse(digest), size, annotations)


def test_what_we_write_is_byte_for_byte_what_docker_model_runner_writes():
    config = ModelConfig(
        ConfigSchema.DOCKER_V01,
        format="gguf",
        created=datetime(2025, 1, 1, tzinfo=timezone.utc),
        diff_ids=(GGUF, LICENSE, TEMPLATE),
    ).to_bytes()
    assert (len(config), str(Digest.of(config))) == (338, CONFIG)
    manifest = Manifest(
        Descriptor.of(config, ConfigSchema.DOCKER_V01.value),
        (
            _descriptor("application/vnd.docker.ai.gguf.v3", 2016),
            _descriptor("application/vnd.docker.ai.license", 13, LICENSE),
            _descriptor("application/vnd.docker.ai.chat.template.jinja", 304, TEMPLATE),
        ),
    )
    content = manifest.to_bytes()
    assert (len(content), str(Digest.of(content))) == (699, MODEL)
    assert Manifest.parse(content) == manifest
    artifact = Artifact.of(manifest, config)
    assert [layer.role for layer in artifact.layers] == [
        Role.WEIGHTS,
        Role.LICENSE,
        Role.CHAT_TEMPLATE,
    ]
    assert artifact.diff_id(artifact.layers[2]) == TEMPLATE
    artifact.check_runnable()


def test_an_early_config_with_spaces_and_without_a_context_size():
    content = json.dumps(
        {
            "config": {
                "format": "gguf",
                "quantization": "IQ2_XXS/Q4_K_M",
                "parameters": "361.82 M",
                "architecture": "llama",
                "size": "256.35 MiB",
                "gguf": {"general.name": "Smollm2 360M"},
            },
            "descriptor": {"created": "2025-03-24T11:33:01.123456789Z"},
        }
    ).encode()
    config = ModelConfig.parse(content, ConfigSchema.DOCKER_V01.value)
    assert (config.parameters, config.size) == ("361.82M", "256.35MiB")
    assert config.context_size is None
    assert config.created is not None
    assert config.created.year == 2025
    assert config.diff_ids == ()


def test_the_specifications_own_spelling_of_the_time_is_read_too():
    content = b'{"config":{},"descriptor":{"createdAt":"2025-01-01T00:00:00Z"}}'
    assert ModelConfig.parse(content, ConfigSchema.DOCKER_V02.value).created is not None


def test_a_modelpack_config():
    content = json.dumps(
        {
            "descriptor": {
                "createdAt": "2025-01-01T00:00:00Z",
                "family": "smollm",
                "licenses": ["Apache-2.0"],
            },
            "config": {
                "architecture": "transformer",
                "format": "gguf",
                "paramSize": "360m",
                "quantization": "q4",
                "capabilities": {"toolUsage": True},
            },
            "modelfs": {"type": "layers", "diffIds": [GGUF]},
        }
    ).encode()
    config = ModelConfig.parse(content, ConfigSchema.MODELPACK.value)
    assert (config.parameters, config.diff_ids) == ("360m", (GGUF,))
    assert config.capabilities == {"toolUsage": True}
    assert config.description["family"] == "smollm"


def test_a_config_of_something_else_is_no_model():
    with pytest.raises(NotRunnable, match="not a model artifact"):
        ModelConfig.parse(b"{}", "application/vnd.oci.image.config.v1+json")


TEXTS = st.none() | st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=10).map(
    lambda text: text.replace(" ", "") or "x"
)
QUANTITIES = st.none() | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,2})?[MB]", fullmatch=True)
TIMES = st.none() | st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)
).map(lambda when: when.replace(microsecond=0, tzinfo=timezone.utc))


@given(
    schema=st.sampled_from(ConfigSchema),
    words=st.tuples(TEXTS, TEXTS, TEXTS),
    parameters=QUANTITIES,
    size=QUANTITIES,
    context=st.none() | st.integers(1, 2**31),
    created=TIMES,
    gguf=st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
)
def test_a_config_survives_writing_and_reading(
    schema, words, parameters, size, context, created, gguf
):
    docker = schema is not ConfigSchema.MODELPACK
    config = ModelConfig(
        schema,
        format=words[0],
        architecture=words[1],
        quantization=words[2],
        parameters=parameters,
        size=size if docker else None,
        context_size=context if docker else None,
        created=created,
        gguf=gguf if docker else {},
        diff_ids=(GGUF,),
    )
    again = ModelConfig.parse(config.to_bytes(), schema.value)
    if not docker and created is not None:  # ModelPack keeps its whole descriptor
        assert again.description["createdAt"]
        assert again.created == config.created
        return
    assert again == config


@given(
    st.lists(st.tuples(st.text(min_size=1), st.integers(0, 2**60)), min_size=1, max_size=4),
    st.dictionaries(st.text(), st.text(), max_size=3),
)
def test_a_manifest_survives_writing_and_reading(blobs, annotations):
    descriptors = [
        Descriptor(kind, Digest.of(kind.encode("utf-8", "replace")), size)
        for kind, size in blobs
        if kind.isprintable()
    ]
    if not descriptors:
        return
    manifest = Manifest(descriptors[0], tuple(descriptors[1:]), annotations=annotations)
    try:
        content = manifest.to_bytes()
    except UnicodeEncodeError:  # half a surrogate pair has no UTF-8
        return
    assert Manifest.parse(content) == manifest


def test_a_blob_listed_twice_is_one_blob():
    one = _descriptor("application/vnd.docker.ai.gguf.v3")
    manifest = Manifest(_descriptor("c", digest=CONFIG), (one, one))
    assert len(manifest.blobs) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PARSERS = [
    Manifest.parse,
    ImageIndex.parse,
    *(lambda content, s=schema: ModelConfig.parse(content, s.value) for schema in ConfigSchema),
]
KEYS = (
    "schemaVersion", "mediaType", "config", "layers", "annotations", "artifactType", "manifests",
    "descriptor", "rootfs", "modelfs", "digest", "size", "created", "createdAt", "diff_ids",
    "diffIds", "gguf", "context_size", "parameters", "paramSize", "capabilities", "platform",
)  # fmt: skip


def _valid():
    inner = {"mediaType": "m", "digest": GGUF, "size": 1}
    return {
        "schemaVersion": 2,
        "config": {**inner, "format": "gguf", "gguf": {}, "capabilities": {}},
        "layers": [dict(inner)],
        "manifests": [dict(inner)],
        "descriptor": {"created": "2025-01-01T00:00:00Z", "createdAt": "2025-01-01T00:00:00Z"},
        "rootfs": {"diff_ids": []},
        "modelfs": {"diffIds": []},
    }


@given(
    parse=st.sampled_from(PARSERS),
    key=st.sampled_from(KEYS),
    inside=st.sampled_from(["", "config", "descriptor", "rootfs", "modelfs", "layers"]),
    value=JSON,
)
def test_whatever_stands_at_a_key_the_document_is_read_or_refused(parse, key, inside, value):
    content = _valid()
    where = content[inside] if inside else content
    (where[0] if isinstance(where, list) else where)[key] = value
    with contextlib.suppress(SmolctlError):
        parse(json.dumps(content).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"1", b"{", b"\xff\xfe", b'{"a":' * 100_000, b"[" * 100_000,
        b"{}" + b" " * document.MAXIMUM_SIZE, b"\x00",
        b"9" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("parse", PARSERS)
def test_what_is_no_document_is_refused(parse, content):
    with pytest.raises(IntegrityError):
        parse(content)


@pytest.mark.parametrize("size", [-1, 2**63, 10**400, 1.5, True, "1"])
def test_what_is_no_size_is_refused(size):
    value = {"mediaType": "m", "digest": GGUF, "size": size}
    with pytest.raises(IntegrityError, match="not a size"):
        Descriptor.from_json(value)


@pytest.mark.parametrize(
    "text",
    [
        "sha256:../../x", "sha256:", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "md5:" + "0" * 32,
        "SHA256:" + "0" * 64, "sha256:" + "G" * 64, "0" * 64, "sha512:" + "0" * 64, "",
        "sha256:" + "0" * 64 + "\n",
    ],
)  # fmt: skip
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(IntegrityError):
        Digest.parse(text)


def test_a_descriptor_tells_bytes_that_are_not_its_own():
    blob = Descriptor.of(b"content", "m")
    blob.verify(b"content", "blob")
    with pytest.raises(IntegrityError, match="7"):
        blob.verify(b"conten", "blob")
    with pytest.raises(IntegrityError, match=str(blob.digest)):
        blob.verify(b"CONTENT", "blob")


@pytest.mark.parametrize(
    ("media_type", "path", "role", "packing"),
    [
        ("application/vnd.docker.ai.gguf.v3", None, Role.WEIGHTS, Packing.RAW),
        ("application/vnd.docker.ai.gguf.v3.lora", None, Role.ADAPTER, Packing.RAW),
        ("application/vnd.docker.ai.mmproj", None, Role.PROJECTOR, Packing.RAW),
        ("application/vnd.docker.ai.gguf.v3.mmproj", None, Role.PROJECTOR, Packing.RAW),
        ("application/vnd.docker.ai.license", None, Role.LICENSE, Packing.RAW),
        ("application/vnd.docker.ai.chat.template.jinja", None, Role.CHAT_TEMPLATE, Packing.RAW),
        ("application/vnd.docker.ai.safetensors", "a.safetensors", Role.FOREIGN_WEIGHTS,
         Packing.RAW),
        ("application/vnd.docker.ai.dduf", None, Role.FOREIGN_WEIGHTS, Packing.RAW),
        ("application/vnd.docker.ai.vllm.config.tar", None, Role.OTHER, Packing.TAR),
        ("application/vnd.docker.ai.dir.tar", None, Role.OTHER, Packing.TAR),
        ("application/vnd.docker.ai.model.file", "x/config.json", Role.OTHER, Packing.RAW),
        ("application/vnd.docker.ai.model.file", "t.jinja", Role.CHAT_TEMPLATE, Packing.RAW),
        ("application/vnd.cncf.model.weight.v1.raw", None, Role.WEIGHTS, Packing.RAW),
        ("application/vnd.cncf.model.weight.v1.raw", "m-MMPROJ.gguf", Role.PROJECTOR, Packing.RAW),
        ("application/vnd.cncf.model.weight.v1.tar", None, Role.WEIGHTS, Packing.TAR),
        ("application/vnd.cncf.model.weight.v1.tar+gzip", None, Role.WEIGHTS, Packing.TAR_GZIP),
        ("application/vnd.cncf.model.weight.v1.tar+zstd", None, Role.WEIGHTS, Packing.TAR_ZSTD),
        ("application/vnd.cncf.model.weight.v1.gguf", None, Role.WEIGHTS, Packing.RAW),
        ("application/vnd.cncf.model.weight.v1.safetensors", None, Role.FOREIGN_WEIGHTS,
         Packing.RAW),
        ("application/vnd.cncf.model.weight.config.v1.raw", "t.jinja", Role.CHAT_TEMPLATE,
         Packing.RAW),
        ("application/vnd.cncf.model.doc.v1.raw", "LICENSE", Role.LICENSE, Packing.RAW),
        ("application/vnd.cncf.model.doc.v1.raw", "README.md", Role.DOCUMENT, Packing.RAW),
        ("application/vnd.cncf.model.code.v1.raw", None, Role.OTHER, Packing.RAW),
        ("application/vnd.cncf.model.weight.v1.tar+lz9", None, Role.OTHER, Packing.RAW),
        ("text/plain", None, Role.OTHER, Packing.RAW),
    ],
)  # fmt: skip
def test_layers_are_told_by_media_type_and_file_name(media_type, path, role, packing):
    annotations = {FILE_PATH: path} if path else {}
    layer = Layer.classify(_descriptor(media_type, **annotations))
    assert (layer.role, layer.packing) == (role, packing)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "..", "../x", "a/../../b", "a//b", "a\\b", "C:/x", "a\0b", "", "a/"]
)
def test_a_path_that_leads_out_is_refused(path):
    with pytest.raises(IntegrityError, match="leads out"):
        checked_path(path)
    if path:
        with pytest.raises(IntegrityError):
            Layer.classify(_descriptor("m", **{FILE_PATH: path}))


@pytest.mark.parametrize(
    ("layers", "format_", "says"),
    [
        (["application/vnd.docker.ai.safetensors"], "safetensors", "packaged as safetensors"),
        (["application/vnd.docker.ai.dduf"], None, "llama.cpp runs GGUF"),
        (["application/vnd.docker.ai.license"], "gguf", "no weights"),
        ([], None, "no weights"),
    ],
)
def test_what_llama_cpp_cannot_load_says_why(layers, format_, says):
    config = ModelConfig(ConfigSchema.DOCKER_V01, format=format_).to_bytes()
    manifest = Manifest(
        Descriptor.of(config, ConfigSchema.DOCKER_V01.value),
        tuple(_descriptor(layer) for layer in layers),
    )
    with pytest.raises(NotRunnable, match=says):
        Artifact.of(manifest, config).check_runnable()
