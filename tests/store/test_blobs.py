import pytest

from smolctl.errors import IntegrityError
from smolctl.model.descriptor import Descriptor
from smolctl.store.blobs import Blobs

CONTENT = b"0123456789" * 10
BLOB = Descriptor.of(CONTENT, "m")


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path)


@pytest.mark.parametrize(
    "chunks",
    [[b""], [CONTENT[:-1]], [CONTENT, b"x"], [CONTENT[:50], b"x" * 50], [bytes(100)]],
    ids=["empty", "short", "long", "changed", "other"],
)
def test_what_is_not_the_blob_is_never_kept(blobs, chunks):
    with pytest.raises(IntegrityError, match=str(BLOB.digest)):
        blobs.write(BLOB, chunks)
    assert not blobs.has(BLOB)
    assert not list(blobs.root.rglob("*"))[2:]
    assert blobs.write(BLOB, [CONTENT])
    assert blobs.has(BLOB)


def test_too_many_bytes_end_the_transfer_at_the_first(blobs):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield CONTENT

    with pytest.raises(IntegrityError, match="longer"):
        blobs.write(BLOB, endless())
    assert len(taken) == 2


def test_a_blob_that_is_here_is_not_asked_for(blobs):
    def asked():
        yield pytest.fail("asked")

    blobs.write_bytes(BLOB, CONTENT)
    assert blobs.write(BLOB, asked()) is False


def test_a_damaged_small_blob_is_replaced(blobs):
    blobs.write_bytes(BLOB, CONTENT)
    blobs.path(BLOB.digest).write_bytes(bytes(len(CONTENT)))
    assert not blobs.has(BLOB)
    with pytest.raises(IntegrityError):
        blobs.read(BLOB, "blob")
    assert blobs.write_bytes(BLOB, CONTENT)
    assert blobs.read(BLOB, "blob") == CONTENT


def test_a_failure_from_outside_leaves_no_blob(blobs):
    def broken():
        yield CONTENT[:10]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        blobs.write(BLOB, broken())
    assert not blobs.has(BLOB)


def test_sha512_blobs_are_checked_as_well(blobs):
    from smolctl.model.digest import Digest

    blob = Descriptor("m", Digest.of(CONTENT, "sha512"), len(CONTENT))
    with pytest.raises(IntegrityError):
        blobs.write_bytes(blob, bytes(len(CONTENT)))
    assert blobs.write_bytes(blob, CONTENT)
    assert blobs.path(blob.digest).parent.name == "sha512"


def test_removing_what_is_not_here_frees_nothing(blobs):
    assert blobs.remove(BLOB.digest) == 0
    blobs.write_bytes(BLOB, CONTENT)
    assert blobs.remove(BLOB.digest) == len(CONTENT)
