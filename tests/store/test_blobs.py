import fcntl
import os
import threading
import types

import pytest

from smolctl.errors import IntegrityError, StorageError
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.store.blobs import Blobs
from smolctl.store.partial import journal_path
from tests.store import writer
from tests.store.writer import MEBIBYTE, another_process

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
    blob = Descriptor("m", Digest.of(CONTENT, "sha512"), len(CONTENT))
    with pytest.raises(IntegrityError):
        blobs.write_bytes(blob, bytes(len(CONTENT)))
    assert blobs.write_bytes(blob, CONTENT)
    assert blobs.path(blob.digest).parent.name == "sha512"


def test_removing_what_is_not_here_frees_nothing(blobs):
    assert blobs.remove(BLOB.digest) == 0
    blobs.write_bytes(BLOB, CONTENT)
    assert blobs.remove(BLOB.digest) == len(CONTENT)


class TestTwoAtOnce:
    """Of one blob: one writes, the other sees that it does, waits, or takes over."""

    def test_another_process_has_it(self, blobs):
        with another_process(blobs.root, f"fill(partial, 0, {3 * MEBIBYTE})") as process:
            assert blobs.open_partial(writer.BLOB, wait=False) is None
            assert blobs.partial_size(writer.BLOB) == 3 * MEBIBYTE
            process.kill()
            process.wait()
            with blobs.open_partial(writer.BLOB, wait=False) as partial:
                assert partial.resumed == 3 * MEBIBYTE

    def test_another_thread_has_it(self, blobs):
        opened, may_close = threading.Event(), threading.Event()

        def hold():
            with blobs.open_partial(BLOB):
                opened.set()
                may_close.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        opened.wait()
        assert blobs.open_partial(BLOB, wait=False) is None
        may_close.set()
        holder.join()
        with blobs.open_partial(BLOB, wait=False) as partial:
            assert not partial.resumed

    def test_another_blob_is_nobodys_matter(self, blobs):
        with (
            another_process(blobs.root),
            blobs.open_partial(BLOB, wait=False) as partial,
            blobs.open_partial(Descriptor.of(b"other", "m"), wait=False) as other,
        ):
            assert partial is not None
            assert other is not None

    @pytest.mark.parametrize("ending", ["close", "discard", "commit"])
    def test_who_waits_gets_it_when_the_other_is_done(self, blobs, ending, monkeypatch):
        waiting = threading.Event()
        flock = fcntl.flock
        taken = []

        def told_flock(handle, operation):
            if threading.current_thread() is waiter:
                waiting.set()
            flock(handle, operation)

        def wait():
            with blobs.open_partial(BLOB) as partial:
                taken.append((partial.resumed, blobs.has(BLOB)))

        monkeypatch.setattr(fcntl, "flock", told_flock)
        waiter = threading.Thread(target=wait)
        with blobs.open_partial(BLOB) as partial:
            partial.write(0, CONTENT)
            waiter.start()
            waiting.wait()
            assert not taken
            getattr(partial, ending)()
        waiter.join()

        assert taken == [(len(CONTENT) if ending == "close" else 0, ending == "commit")]


class TestPartialSize:
    def test_of_none_is_nothing(self, blobs):
        assert blobs.partial_size(BLOB) == 0

    def test_is_what_the_journal_says(self, blobs):
        with blobs.open_partial(BLOB) as partial:
            partial.write(10, CONTENT[10:30])
        assert blobs.partial_size(BLOB) == 20
        assert blobs.partial_size(Descriptor("m", BLOB.digest, 99)) == 0

    def test_of_a_damaged_journal_is_nothing(self, blobs):
        with blobs.open_partial(BLOB) as partial:
            partial.write(10, CONTENT[10:30])
        journal = journal_path(blobs.partial_path(BLOB.digest))
        journal.write_bytes(b"x" + journal.read_bytes())
        assert blobs.partial_size(BLOB) == 0


class TestSpace:
    MISSING = (
        Descriptor("m", Digest.of(b"1"), 600_000_000),
        Descriptor("m", Digest.of(b"2"), 400_000_000),
    )

    @pytest.fixture
    def disk(self, monkeypatch):
        """A disk on which there is as much room as the test says; root has a little more."""

        def has(free):
            blocks, rest = divmod(free, 4096)
            assert not rest
            told = types.SimpleNamespace(f_bavail=blocks, f_bfree=blocks + 9**9, f_frsize=4096)
            told.f_bsize = 1024**2
            monkeypatch.setattr(os, "statvfs", lambda _: told)

        return has

    def test_that_is_too_little_is_told_with_both_numbers(self, blobs, disk):
        disk(4096 * 200_000)
        with pytest.raises(StorageError) as caught:
            blobs.check_space(self.MISSING)
        assert "1.00 GB are to be fetched" in caught.value.message
        assert f"{blobs.root} has 819 MB free" in caught.value.message
        assert "SMOLCTL_HOME" in caught.value.hint
        assert not list(blobs.root.iterdir())

    def test_that_is_just_enough_is_enough(self, blobs, disk):
        missing = [Descriptor("m", BLOB.digest, 4096 * 10)]
        disk(4096 * 10)
        blobs.check_space(missing)
        disk(4096 * 9)
        with pytest.raises(StorageError):
            blobs.check_space(missing)

    def test_for_nothing_is_always_there(self, blobs, disk):
        disk(0)
        blobs.check_space([])

    def test_is_not_wanted_for_what_is_there_of_a_partial_blob(self, blobs, disk):
        size = writer.BLOB.size
        with blobs.open_partial(writer.BLOB) as partial:
            writer.fill(partial, 0, 2 * MEBIBYTE)
            writer.fill(partial, 4 * MEBIBYTE, 5 * MEBIBYTE)
        needed = -(-(size - 3 * MEBIBYTE) // 4096) * 4096
        disk(needed)
        blobs.check_space([writer.BLOB])
        disk(needed - 4096 * 16)  # the file system may have used some blocks for itself
        with pytest.raises(StorageError):
            blobs.check_space([writer.BLOB])

    def test_is_not_wanted_for_a_partial_blob_that_is_whole(self, blobs, disk):
        with blobs.open_partial(writer.BLOB) as partial:
            writer.fill(partial)
        disk(0)
        blobs.check_space([writer.BLOB])
        # What its blocks have over does not make up for another.
        with pytest.raises(StorageError):
            blobs.check_space([writer.BLOB, Descriptor("m", BLOB.digest, 100)])

    def test_of_a_disk_that_cannot_be_asked(self, blobs):
        with pytest.raises(StorageError, match="No such file"):
            Blobs(blobs.root / "nowhere").check_space(self.MISSING)
