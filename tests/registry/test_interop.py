"""Docker's own registry and skopeo, against the installed command."""

from __future__ import annotations

import http.client
import json
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from smolctl.registry.credentials import Credentials
from smolctl.registry.login import keep
from smolctl.registry.push import push
from smolctl.registry.sharing.server import serving
from smolctl.registry.transfer_options import TransferOptions
from smolctl.registry.upload_client import UploadClient
from smolctl.store.store import Store
from tests.support.counting_pipe import CountingPipe
from tests.support.docker_registry import docker_registry, require
from tests.support.faulty_registry import GGUF, FaultyRegistry, Packed, digest, pack
from tests.support.gguf_files import tiny_llama
from tests.support.large_blob import LargeBlob, wordy_header
from tests.support.layouts import tar_of
from tests.support.processes import Smolctl
from tests.support.pulling import weights
from tests.support.skopeo import skopeo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.interop

MODEL = pack(annotations={"org.opencontainers.image.title": "a small model"})
ME, SECRET = "me", "s3cret:with:colons"


def copy_into(host: str, name: str, *credentials: str, source: str) -> None:
    skopeo("copy", "--dest-tls-verify=false", *credentials, source, f"docker://{host}/{name}")


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    require("docker-registry", "skopeo", "htpasswd")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smolctl]:
    """A cache with `MODEL` in it, as a pull left it."""
    folder = tmp_path_factory.mktemp("source")
    with closing(Smolctl(folder)) as smolctl, FaultyRegistry() as registry:
        registry.publish("ai/small", "latest", MODEL)
        smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"] = registry.host
        smolctl("model", "pull", "small", expect=0)
        smolctl("model", "tag", "small", "docker.io/ai/small:v1", expect=0)
        del smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"]
        yield smolctl


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, source: Smolctl) -> Iterator[str]:
    """A registry that is open to everybody, filled by skopeo out of our cache."""
    with docker_registry(tmp_path_factory.mktemp("plain") / "registry") as host:
        copy_into(host, "ai/small:v1", source=f"oci:{source.home}:ai/small:v1")
        yield host


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, source: Smolctl) -> Iterator[str]:
    """The same behind a password."""
    folder = tmp_path_factory.mktemp("guarded") / "registry"
    with docker_registry(folder, {ME: SECRET}) as host:
        credentials = ("--dest-creds", f"{ME}:{SECRET}")
        copy_into(host, "team/small:v1", *credentials, source=f"oci:{source.home}:ai/small:v1")
        yield host


class TestDockersRegistry:
    def test_gives_back_what_skopeo_put_there_out_of_our_cache(
        self, smolctl: Smolctl, plain: str
    ) -> None:
        done = smolctl("model", "pull", "-q", f"{plain}/ai/small:v1", expect=0)

        assert done.stdout == f"{MODEL.id}\n"
        assert done.stderr == ""

    def test_is_the_default_registry_when_the_environment_says_so(
        self, smolctl: Smolctl, plain: str
    ) -> None:
        smolctl.environment["SMOLCTL_DEFAULT_REGISTRY"] = plain

        smolctl("model", "pull", "small:v1", expect=0)

        listed = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)
        assert listed[0]["tags"] == [f"{plain}/ai/small:v1"]
        assert listed[0]["id"] == MODEL.id

    def test_gives_a_model_by_its_digest(self, smolctl: Smolctl, plain: str) -> None:
        name = f"{plain}/ai/small@{MODEL.id}"

        assert smolctl("model", "pull", "-q", name, expect=0).stdout == f"{MODEL.id}\n"
        assert json.loads(smolctl("model", "ls", "--json").stdout)[0]["tags"] == []

    def test_lists_what_it_has(self, smolctl: Smolctl, plain: str) -> None:
        found = smolctl("model", "search", "-q", "--registry", plain, "small", expect=0)

        assert f"{plain}/ai/small" in found.stdout.splitlines()

    @pytest.mark.parametrize("name", ["ai/nothing", "ai/small:v9", f"ai/small@sha256:{'0' * 64}"])
    def test_without_the_model_ends_in_3(self, smolctl: Smolctl, plain: str, name: str) -> None:
        done = smolctl("model", "pull", f"{plain}/{name}", expect=3)

        assert done.stdout == ""
        assert "was not found" in done.stderr
        assert len(done.stderr_lines) <= 2


class TestAPassword:
    def test_that_nobody_gave_is_asked_for(self, smolctl: Smolctl, guarded: str) -> None:
        done = smolctl("model", "pull", f"{guarded}/team/small:v1", expect=4)

        assert done.stdout == ""
        assert done.stderr_lines[0] == f"smolctl: {guarded} wants credentials"
        assert f"smolctl login {guarded}" in done.stderr_lines[1]

    def test_that_is_wrong_is_refused(self, smolctl: Smolctl, guarded: str) -> None:
        smolctl.log_in(guarded, ME, "wr0ng")

        done = smolctl("model", "pull", f"{guarded}/team/small:v1", expect=4)

        assert done.stdout == ""
        assert "refused the credentials" in done.stderr
        assert "wr0ng" not in done.stderr

    def test_that_docker_login_wrote_opens(self, smolctl: Smolctl, guarded: str) -> None:
        smolctl.log_in(guarded, ME, SECRET)

        done = smolctl("model", "pull", "-q", f"{guarded}/team/small:v1", expect=0)

        assert done.stdout == f"{MODEL.id}\n"

    def test_that_we_stored_opens_for_skopeo(
        self, smolctl: Smolctl, guarded: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "auth.json"
        smolctl.environment["REGISTRY_AUTH_FILE"] = str(file)
        smolctl("login", "-u", ME, "--password-stdin", guarded, stdin=SECRET, expect=0)
        name = f"docker://{guarded}/team/small:v1"

        raw = skopeo("inspect", "--raw", "--tls-verify=false", "--authfile", str(file), name)

        assert raw.encode() == MODEL.manifest
        assert skopeo("logout", "--tls-verify=false", "--authfile", str(file), guarded)
        smolctl("model", "pull", f"{guarded}/team/small:v1", expect=4)

    def test_that_skopeo_stored_opens_until_we_forget_it(
        self, smolctl: Smolctl, guarded: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "auth.json"
        login = ("login", "--tls-verify=false", "--authfile", str(file))
        skopeo(*login, "-u", ME, "-p", SECRET, guarded)
        smolctl.environment["REGISTRY_AUTH_FILE"] = str(file)

        done = smolctl("model", "pull", "-q", f"{guarded}/team/small:v1", expect=0)

        assert done.stdout == f"{MODEL.id}\n"
        smolctl("logout", guarded, expect=0)
        assert json.loads(file.read_bytes()) == {"auths": {}}

    def test_that_is_wrong_is_not_stored(self, smolctl: Smolctl, guarded: str) -> None:
        done = smolctl("login", "-u", ME, "--password-stdin", guarded, stdin="wr0ng", expect=4)

        assert "refused the credentials" in done.stderr
        assert not (smolctl.docker_config / "config.json").exists()

    def test_for_docker_hub_is_found_by_skopeo_under_our_key(self, tmp_path: Path) -> None:
        file = tmp_path / "auth.json"
        keep(file, "docker.io", Credentials(ME, SECRET))

        shown = skopeo("login", "--get-login", "--authfile", str(file), "docker.io")

        assert shown == f"{ME}\n"

    @pytest.mark.parametrize("where", ["credsStore", "credHelpers"])
    def test_from_a_credential_program_opens(
        self, smolctl: Smolctl, guarded: str, where: str
    ) -> None:
        answer = json.dumps({"ServerURL": guarded, "Username": ME, "Secret": SECRET})
        use_program(smolctl, guarded, where, f"cat >/dev/null; echo '{answer}'")

        smolctl("model", "pull", f"{guarded}/team/small:v1", expect=0)

    def test_from_a_credential_program_that_fails_is_not_done_without(
        self, smolctl: Smolctl, guarded: str
    ) -> None:
        use_program(smolctl, guarded, "credsStore", "echo 'the keychain is locked'; exit 1")

        done = smolctl("model", "pull", f"{guarded}/team/small:v1", expect=4)

        assert done.stdout == ""
        assert "docker-credential-test failed" in done.stderr

    def test_never_reaches_an_error_or_a_traceback(self, smolctl: Smolctl, guarded: str) -> None:
        smolctl.log_in(guarded, ME, SECRET)

        done = smolctl("--debug", "model", "pull", f"{guarded}/team/small:v9", expect=3)

        assert "Traceback" in done.stderr
        assert SECRET not in done.stderr


def use_program(smolctl: Smolctl, registry: str, where: str, script: str) -> None:
    folder = smolctl.user_home / "bin"
    folder.mkdir()
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    smolctl.environment["PATH"] = f"{folder}{os.pathsep}{smolctl.environment['PATH']}"
    document = {where: "test" if where == "credsStore" else {registry: "test"}}
    (smolctl.docker_config / "config.json").write_text(json.dumps(document))


class TestSkopeo:
    def test_reads_our_cache_as_it_stands(self, source: Smolctl) -> None:
        raw = skopeo("inspect", "--raw", f"oci:{source.home}:ai/small:v1")

        assert raw.encode() == MODEL.manifest

    def test_copies_out_of_our_cache_and_we_read_the_copy(
        self, source: Smolctl, tmp_path: Path
    ) -> None:
        skopeo("copy", f"oci:{source.home}:ai/small:v1", f"oci:{tmp_path}/copy:ai/small:v2")

        assert_readable(tmp_path / "copy", "ai/small:v2")

    def test_copies_out_of_a_registry_and_we_read_the_copy(
        self, plain: str, tmp_path: Path
    ) -> None:
        skopeo(
            "copy",
            "--src-tls-verify=false",
            f"docker://{plain}/ai/small:v1",
            f"oci:{tmp_path}/copy:ai/small:v1",
        )

        assert_readable(tmp_path / "copy", "ai/small:v1")

    def test_adds_to_our_cache_and_both_models_are_there(
        self, source: Smolctl, smolctl: Smolctl, plain: str
    ) -> None:
        smolctl("model", "pull", f"{plain}/ai/small:v1", expect=0)
        skopeo("copy", f"oci:{source.home}:ai/small:v1", f"oci:{smolctl.home}:ai/copied:v1")

        listed = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)

        tags = {tag for model in listed for tag in model["tags"]}
        assert "docker.io/ai/copied:v1" in tags

    def test_pulls_from_our_own_server(self, source: Smolctl, tmp_path: Path) -> None:
        with serving(Store(source.home)) as host:
            skopeo(
                "copy",
                "--src-tls-verify=false",
                f"docker://{host}/ai/small:v1",
                f"oci:{tmp_path}/copy:ai/small:v1",
            )
            listed = json.loads(
                skopeo("list-tags", "--tls-verify=false", f"docker://{host}/ai/small")
            )

        assert_readable(tmp_path / "copy", "ai/small:v1")
        assert listed["Tags"] == ["latest", "v1"]


class TestOurOwnServer:
    def test_is_mirrored_by_dockers_registry(
        self, source: Smolctl, smolctl: Smolctl, tmp_path: Path
    ) -> None:
        with (
            serving(Store(source.home)) as origin,
            docker_registry(tmp_path / "mirror", mirrors=f"http://{origin}") as mirror,
        ):
            done = smolctl("model", "pull", "-q", f"{mirror}/ai/small:v1", expect=0)
            raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{mirror}/ai/small:v1")
        assert done.stdout == f"{MODEL.id}\n"
        assert raw.encode() == MODEL.manifest

    def test_takes_no_push(self, source: Smolctl) -> None:
        with (
            serving(Store(source.home)) as host,
            pytest.raises(AssertionError, match="this registry is read-only"),
        ):
            copy_into(host, "ai/pushed:v1", source=f"oci:{source.home}:ai/small:v1")


def assert_readable(root: Path, name: str, model: Packed = MODEL) -> None:
    store = Store(root)
    found = store.get(name)
    artifact = store.artifact(found)
    assert str(found.id) == model.id
    assert store.missing_blobs(artifact.manifest) == []
    assert artifact.config.architecture == "llama"


class TestAPush:
    def test_comes_back_from_dockers_registry_with_the_same_digest(
        self, source: Smolctl, smolctl: Smolctl, plain: str
    ) -> None:
        name = f"{plain}/pushed/small:v1"
        source("model", "tag", "ai/small:v1", name, expect=0)

        assert source("model", "push", "-q", name, expect=0).stdout == f"{MODEL.id}\n"

        assert smolctl("model", "pull", "-q", name, expect=0).stdout == f"{MODEL.id}\n"
        raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}")
        assert raw.encode() == MODEL.manifest

    def test_of_what_is_large_goes_in_chunks(self, tmp_path: Path, plain: str) -> None:
        store = Store(tmp_path / "large")
        large = Packed.of_layers(weights(3 * 1024 * 1024))
        store.prepare()
        for blob in large.blobs.values():
            store.blobs.write_bytes(Descriptor.of(blob, GGUF), blob)
        reference = Reference.parse(f"{plain}/pushed/large:v1")
        model = store.commit(large.manifest, reference)
        assert model is not None

        with UploadClient(plain, "pushed/large") as client:
            options = TransferOptions(chunk_size=1024 * 1024)
            pushed = push(store, model, client, reference, None, options)

        assert pushed.sent == sum(map(len, large.blobs.values()))
        raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")
        assert raw.encode() == large.manifest

    def test_mounts_from_another_repository(self, source: Smolctl, plain: str) -> None:
        name = f"{plain}/mounted/small:v1"
        source("model", "tag", "ai/small:v1", f"{plain}/ai/small:v1", expect=0)
        source("model", "tag", "ai/small:v1", name, expect=0)

        done = source("model", "push", "--json", name, expect=0)

        assert json.loads(done.stdout)[0]["sent"] == 0
        assert json.loads(done.stdout)[0]["mounted"] > 0

    def test_needs_an_account_where_the_registry_does(self, source: Smolctl, guarded: str) -> None:
        name = f"{guarded}/pushed/small:v1"
        source("model", "tag", "ai/small:v1", name, expect=0)
        done = source("model", "push", name, expect=4)
        assert f"smolctl login {guarded}" in done.stderr_lines[-1]

        source.log_in(guarded, ME, SECRET)
        assert source("model", "push", "-q", name, expect=0).stdout == f"{MODEL.id}\n"


class TestVariants:
    def test_of_dockers_registry_whoever_pushed_them(
        self, source: Smolctl, smolctl: Smolctl, plain: str, tmp_path: Path
    ) -> None:
        name = f"{plain}/variants/small"
        source("model", "tag", "ai/small:v1", f"{name}:v1", expect=0)
        source("model", "push", f"{name}:v1", expect=0)
        for tag in ("latest", "by-skopeo"):
            copy_into(
                plain,
                f"variants/small:{tag}",
                "--src-tls-verify=false",
                source=f"docker://{name}:v1",
            )
        (tmp_path / "other.gguf").write_bytes(tiny_llama())
        flags = ("--gguf", tmp_path / "other.gguf", "--context-size", "512")
        other = source("model", "package", "-q", *flags, f"{name}:v2", "--push", expect=0)
        image = pack(config_type="application/vnd.oci.image.config.v1+json")
        (tmp_path / "image.tar").write_bytes(
            tar_of(image.manifest, image.manifest, *image.blobs.values())
        )
        copy_into(
            plain,
            "variants/small:image",
            "--preserve-digests",
            source=f"oci-archive:{tmp_path / 'image.tar'}:team/model:v1",
        )
        smolctl("model", "pull", f"{name}:v2", expect=0)

        done = smolctl("model", "variants", name, "--json", expect=0)

        found = {tuple(each["tags"]): each for each in json.loads(done.stdout)}
        assert [*found] == [("latest", "by-skopeo", "v1"), ("image",), ("v2",)]
        assert found["latest", "by-skopeo", "v1"]["digest"] == MODEL.id
        assert found["latest", "by-skopeo", "v1"]["here"] is None
        assert found["v2",]["digest"] == other.stdout.split()[0]
        assert (found["v2",]["here"], found["v2",]["context_size"]) == ("up to date", 512)
        assert found["image",]["digest"] == image.id
        assert "not a model artifact" in found["image",]["problem"]

    def test_read_little_of_what_is_large(self, smolctl: Smolctl, tmp_path: Path) -> None:
        """725 MB in which a header lies before zeros, of which the config says nothing."""
        header = wordy_header(49_152)
        model = LargeBlob(header).described()
        folder = tmp_path / "registry"
        with docker_registry(folder) as host:
            for name, content in {**model.blobs, digest(header): header}.items():
                hold(folder / "data", "large/model", name, content)
            with (blob_in(folder / "data", digest(header))).open("r+b") as blob:
                blob.truncate(LargeBlob(header).size)
            put_manifest(host, "large/model", "v1", model)
            with CountingPipe(host) as pipe:
                done = smolctl("model", "variants", f"{pipe.host}/large/model", "--json", expect=0)
                received = pipe.received

        (found,) = json.loads(done.stdout)
        assert (found["quantization"], found["context_size"]) == ("F16", 1024)
        assert found["size"] > 725_000_000
        assert len(header) < received < 4 * MIB


MIB = 1024 * 1024


def blob_in(data: Path, name: str) -> Path:
    """Where docker-registry, which has its storage in `data`, has the blob `name`."""
    return data / f"docker/registry/v2/blobs/sha256/{name[7:9]}/{name[7:]}/data"


def hold(data: Path, repository: str, name: str, content: bytes) -> None:
    """Put a blob where docker-registry finds it, without what it would check."""
    blob = blob_in(data, name)
    link = data / f"docker/registry/v2/repositories/{repository}/_layers/sha256/{name[7:]}/link"
    for path, written in ((blob, content), (link, name.encode())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written)


def put_manifest(host: str, repository: str, tag: str, model: Packed) -> None:
    connection = http.client.HTTPConnection(host, timeout=30)
    with closing(connection):
        path = f"/v2/{repository}/manifests/{tag}"
        connection.request("PUT", path, model.manifest, {"Content-Type": model.media_type})
        assert connection.getresponse().status == 201


class TestATar:
    def test_that_we_saved_is_read_by_skopeo_and_the_other_way_round(
        self, source: Smolctl, smolctl: Smolctl, tmp_path: Path
    ) -> None:
        ours, theirs = tmp_path / "ours.tar", tmp_path / "theirs.tar"
        source("model", "save", "ai/small:v1", "-o", ours, expect=0)

        raw = skopeo("inspect", "--raw", f"oci-archive:{ours}:ai/small:v1")
        assert raw.encode() == MODEL.manifest
        skopeo("copy", f"oci-archive:{ours}:ai/small:v1", f"oci-archive:{theirs}:team/copied:v2")

        assert smolctl("model", "load", "-q", theirs, expect=0).stdout == f"{MODEL.id}\n"
        assert "team/copied:v2" in smolctl("model", "ls", expect=0).stdout
