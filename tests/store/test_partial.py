"""A blob on its way in: written by many, interrupted by anything, never wrong."""

import os
import random
import threading
import tracemalloc
from pathlib import Path

import pytest

from smolctl.errors import IntegrityError, StorageError
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.store import partial as partial_module
from smolctl.store.blobs import Blobs
from smolctl.store.extents import Extent
from smolctl.store.journal import Journal
from smolctl.store.partial import PartialBlob, journal_path
from tests.store.writer import BLOB, CHUNK, CONTENT, MEBIBYTE, SIZE, fill, killed_process
from tests.support.small_disk import small_disk

WRONG = bytes(byte ^ 0xFF for byte in CONTENT[:CHUNK])


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "models")


@pytest.fixture
def partial(blobs):
    with blobs.open_partial(BLOB) as opened:
        yield opened


@pytest.fixture
def reboot(monkeypatch):
    """Have the machine started anew, for all that the journal can know."""

    def rebooted():
        monkeypatch.setattr(partial_module, "boot_id", lambda: "the-next-boot")

    return rebooted


def in_partial(blobs):
    return sorted(path.name for path in (blobs.root / "partial").iterdir())


def path_of(blobs, blob=BLOB):
    return blobs.partial_path(blob.digest)


def leave(blobs, *ranges):
    """Leave a partial blob with those bytes, noted in its journal."""
    with blobs.open_partial(BLOB) as opened:
        for start, end in ranges:
            fill(opened, start, end)


def finish(blobs):
    """Fetch what is missing; returns how many bytes that was."""
    with blobs.open_partial(BLOB) as opened:
        missing = opened.gaps()
        for gap in missing:
            fill(opened, *gap)
        opened.commit()
    assert blobs.path(BLOB.digest).read_bytes() == CONTENT
    assert in_partial(blobs) == []
    return sum(gap.size for gap in missing)


class TestWriting:
    def test_the_blob_is_there_when_it_is_whole_and_nothing_else(self, blobs, partial):
        fill(partial)
        assert partial.is_whole
        assert not blobs.has(BLOB)

        partial.commit()

        assert blobs.path(BLOB.digest).read_bytes() == CONTENT
        assert in_partial(blobs) == []

    def test_threads_write_it_in_any_order(self, blobs, partial):
        starts = [*range(0, SIZE, CHUNK), *range(CHUNK // 3, SIZE, 5 * CHUNK)]
        random.Random(2).shuffle(starts)
        new = []
        finished = threading.Event()

        def write(mine):
            new.append(sum(partial.write(at, CONTENT[at : at + CHUNK]) for at in mine))

        def keep_doing(work):
            while not finished.is_set():
                work()

        writers = [threading.Thread(target=write, args=(starts[n::4],)) for n in range(4)]
        others = [
            threading.Thread(target=keep_doing, args=(work,))
            for work in (partial.hash_some, partial.sync)
        ]
        for thread in writers + others:
            thread.start()
        for thread in writers:
            thread.join()
        finished.set()
        for thread in others:
            thread.join()
        partial.commit()

        assert sum(new) == SIZE
        assert blobs.path(BLOB.digest).read_bytes() == CONTENT
        assert in_partial(blobs) == []

    def test_a_byte_that_is_there_is_not_written_again(self, blobs, partial):
        fill(partial, CHUNK, 2 * CHUNK)

        assert partial.write(CHUNK, WRONG) == 0
        assert partial.write(CHUNK + 5, WRONG[:5]) == 0
        fill(partial, 0, CHUNK)
        assert partial.hash_some() == 2 * CHUNK
        assert partial.write(0, WRONG) == 0
        fill(partial)
        assert partial.write(0, WRONG) == 0
        partial.commit()

        assert blobs.path(BLOB.digest).read_bytes() == CONTENT

    def test_only_the_gaps_of_a_chunk_are_written(self, partial):
        partial.write(10, CONTENT[10:20])
        partial.write(30, CONTENT[30:40])

        assert partial.write(0, CONTENT[:10] + WRONG[10:20] + CONTENT[20:30] + WRONG[30:35]) == 20
        assert partial.gaps() == [Extent(40, SIZE)]
        assert partial.written == 40
        with partial._path.open("rb") as file:
            assert file.read(40) == CONTENT[:40]

    def test_of_two_that_write_one_byte_at_once_the_first_wins(self, monkeypatch, partial):
        # Else the second would change what the first had, and what may be hashed already.
        written = []
        second = threading.Thread(target=lambda: written.append(partial.write(0, WRONG)))
        write_at = partial_module._write_at

        def write_late(*arguments):
            if second.ident is None:
                second.start()
                second.join(0.1)  # as far as it gets
            write_at(*arguments)

        monkeypatch.setattr(partial_module, "_write_at", write_late)
        written.append(partial.write(0, CONTENT[:CHUNK]))
        second.join()

        assert written == [CHUNK, 0]
        with partial._path.open("rb") as file:
            assert file.read(CHUNK) == CONTENT[:CHUNK]

    @pytest.mark.parametrize(
        ("offset", "size"), [(SIZE, 1), (SIZE - 1, 2), (0, SIZE + 1), (SIZE + 5, 1), (2**62, 1)]
    )
    def test_nothing_is_written_past_the_end(self, partial, offset, size):
        with pytest.raises(IntegrityError, match="longer"):
            partial.write(offset, bytes(size))
        assert partial.written == 0
        assert partial._path.stat().st_size == SIZE

    def test_nothing_to_write_is_nothing(self, partial):
        assert partial.write(5, b"") == 0
        assert partial.gaps() == [(0, SIZE)]

    def test_the_hash_waits_at_a_gap(self, partial):
        assert partial.hash_some() == 0
        partial.write(10, CONTENT[10:20])
        assert partial.hash_some() == 0
        partial.write(0, CONTENT[:10])
        assert partial.hash_some() == 20
        assert partial.hash_some() == 0

    def test_a_file_that_somebody_cuts_short_is_no_blob(self, partial):
        fill(partial)
        os.truncate(partial._path, 100)
        with pytest.raises(StorageError, match="cut short"):
            partial.commit()

    def test_memory_does_not_grow_with_the_blob(self, blobs):
        size = 32 * MEBIBYTE
        chunk = bytes(CHUNK)
        zeros = Descriptor("m", Digest.of(bytes(size)), size)
        half = size // 2
        with blobs.open_partial(zeros) as opened:
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            try:
                for offset in [*range(half, size, CHUNK), *range(half - CHUNK, -1, -CHUNK)]:
                    opened.write(offset, chunk)
                opened.sync()
                opened.commit()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak - before < MEBIBYTE


class TestTheDisk:
    """What is on it before what: no test can take the power away, so the order is watched."""

    @pytest.fixture
    def steps(self, blobs, monkeypatch):
        """The syncs, and what must come before or after one, as they happen."""
        happened = []
        replace, unlink = Path.replace, Path.unlink
        append = Journal._append

        def synced(handle):
            happened.append(f"synced {names[os.fstat(handle).st_ino]}")

        def told(journal, *lines):
            append(journal, *lines)
            happened.extend(f"noted {line.split()[0]}" for line in lines)

        def named(path, target):
            happened.append("renamed")
            return replace(path, target)

        def removed(path, **options):
            happened.append(f"removed {names[path.stat().st_ino]}")
            unlink(path, **options)

        folder = blobs.path(BLOB.digest).parent
        folder.mkdir(parents=True)
        with blobs.open_partial(BLOB) as opened:
            fill(opened)
            path = path_of(blobs)
            files = {"data": path, "journal": journal_path(path), "folder": folder}
            names = {file.stat().st_ino: name for name, file in files.items()}
            for name in ("fsync", "fdatasync"):
                monkeypatch.setattr(os, name, synced)
            monkeypatch.setattr(Journal, "_append", told)
            monkeypatch.setattr(Path, "replace", named)
            monkeypatch.setattr(Path, "unlink", removed)
            yield opened, happened

    def test_has_the_bytes_before_the_journal_vouches_for_them(self, steps):
        opened, happened = steps
        opened.sync()
        assert happened == ["noted wrote", "synced data", "noted durable", "synced journal"]

    def test_has_the_bytes_before_they_have_their_name(self, steps):
        opened, happened = steps
        opened.commit()
        assert happened == ["synced data", "removed journal", "renamed", "synced folder"]

    def test_has_no_journal_of_what_is_thrown_away(self, steps, monkeypatch):
        opened, happened = steps
        truncate = os.ftruncate
        monkeypatch.setattr(
            os, "ftruncate", lambda *to: (happened.append(f"cut to {to[1]}"), truncate(*to))
        )
        opened.restart()
        assert happened == ["removed journal", "cut to 0", f"cut to {SIZE}"]


class TestCommit:
    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    @pytest.mark.parametrize("size", [0, 1, CHUNK, MEBIBYTE, MEBIBYTE + 1])
    def test_the_digest_decides(self, blobs, algorithm, size):
        content = CONTENT[:size]
        blob = Descriptor("m", Digest.of(content, algorithm), size)
        with blobs.open_partial(blob) as opened:
            opened.write(0, content)
            opened.commit()
        assert blobs.path(blob.digest).read_bytes() == content
        assert in_partial(blobs) == []

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_wrong_bytes_get_no_name(self, blobs, algorithm):
        blob = Descriptor("m", Digest.of(CONTENT, algorithm), SIZE)
        with blobs.open_partial(blob) as opened:
            fill(opened, 1)
            opened.write(0, WRONG[:1])
            for _ in range(2):
                with pytest.raises(IntegrityError, match=f"{algorithm}:.* where {blob.digest}"):
                    opened.commit()
            assert not blobs.has(blob)
            opened.restart()
            assert opened.gaps() == [(0, SIZE)]
            fill(opened)
            opened.commit()
        assert blobs.path(blob.digest).read_bytes() == CONTENT

    def test_nor_does_an_empty_blob_that_should_not_be_empty(self, blobs):
        blob = Descriptor("m", BLOB.digest, 0)
        with blobs.open_partial(blob) as opened, pytest.raises(IntegrityError):
            opened.commit()
        assert in_partial(blobs) == []

    def test_what_is_incomplete_is_not_hashed_to_the_end(self, blobs, partial):
        fill(partial, 0, SIZE - 1)
        with pytest.raises(IntegrityError, match=f"ended after {SIZE - 1} of {SIZE} bytes"):
            partial.commit()
        assert not blobs.has(BLOB)

    def test_killed_before_the_last_step_it_is_completed_without_fetching(self, blobs):
        killed_process(blobs.root, "Path.replace = stop; fill(partial); partial.commit()")

        assert in_partial(blobs) == [path_of(blobs).name]
        assert finish(blobs) == 0

    def test_a_name_that_cannot_be_given_loses_nothing(self, blobs):
        (blobs.root / "blobs").mkdir(parents=True)
        target = blobs.path(BLOB.digest)
        target.parent.write_text("in the way")
        with blobs.open_partial(BLOB) as opened:
            fill(opened)
            with pytest.raises(StorageError):
                opened.commit()
        target.parent.unlink()

        assert finish(blobs) == 0


class TestEnding:
    def test_may_be_repeated(self, blobs):
        for ending in ("close", "discard"):
            with blobs.open_partial(BLOB) as opened:
                fill(opened, 0, 2 * MEBIBYTE)
                getattr(opened, ending)()
                getattr(opened, ending)()
                opened.close()
                opened.sync()
        assert in_partial(blobs) == []

    def test_by_discarding_leaves_nothing(self, blobs, partial):
        fill(partial, 0, 2 * MEBIBYTE)
        partial.discard()
        assert in_partial(blobs) == []
        assert finish(blobs) == SIZE

    def test_with_nothing_written_leaves_nothing(self, blobs, partial):
        partial.close()
        assert in_partial(blobs) == []

    @pytest.mark.parametrize("first", ["close", "discard", "commit"])
    @pytest.mark.parametrize("then", ["close", "discard"])
    @pytest.mark.parametrize("content", [b"", b"weights"])
    def test_does_not_take_away_what_another_has_begun(self, blobs, first, then, content):
        blob = Descriptor.of(content, "m")
        ended = blobs.open_partial(blob)
        ended.write(0, content)
        getattr(ended, first)()
        with blobs.open_partial(blob, wait=False) as other:
            getattr(ended, then)()
            other.write(0, content)
            other.commit()
        assert blobs.has(blob)

    def test_and_not_between_its_own_steps(self, blobs, monkeypatch):
        close = PartialBlob.close
        others = []

        def close_late(ending):
            if not others:
                others.append(None)
                others.append(blobs.open_partial(BLOB, wait=False))
            close(ending)

        monkeypatch.setattr(PartialBlob, "close", close_late)
        blobs.open_partial(BLOB).discard()
        with others[1] as other:
            fill(other)
            other.commit()
        assert blobs.has(BLOB)

    def test_by_restarting_throws_everything_away(self, blobs, partial):
        fill(partial, 0, 2 * MEBIBYTE)
        partial.hash_some()
        partial.restart()

        assert (partial.written, partial.resumed) == (0, 0)
        assert partial._path.stat().st_blocks == 0
        partial.close()
        assert in_partial(blobs) == []


class TestResuming:
    def test_after_a_close_everything_is_there(self, blobs):
        leave(blobs, (0, 100), (2 * CHUNK, 2 * MEBIBYTE + 5), (SIZE - 1, SIZE))
        with blobs.open_partial(BLOB) as opened:
            assert opened.gaps() == [(100, 2 * CHUNK), (2 * MEBIBYTE + 5, SIZE - 1)]
            assert opened.resumed == opened.written == SIZE - sum(gap.size for gap in opened.gaps())
        assert finish(blobs) == SIZE - 100 - (2 * MEBIBYTE + 5 - 2 * CHUNK) - 1

    def test_again_and_again(self, blobs):
        for start in range(0, SIZE, MEBIBYTE // 2):
            leave(blobs, (start, min(SIZE, start + MEBIBYTE // 2)))
        assert finish(blobs) == 0

    def test_after_a_kill_every_mebibyte_is_there(self, blobs):
        killed_process(
            blobs.root,
            f"fill(partial, 0, {5 * MEBIBYTE // 2}); fill(partial, {4 * MEBIBYTE}, {SIZE - 5})",
        )
        with blobs.open_partial(BLOB) as opened:
            assert opened.gaps() == [(2 * MEBIBYTE, 4 * MEBIBYTE), (6 * MEBIBYTE, SIZE)]
            assert opened.resumed == 4 * MEBIBYTE
        assert finish(blobs) == SIZE - 4 * MEBIBYTE

    def test_after_a_kill_what_was_resumed_before_is_there_too(self, blobs):
        killed_process(blobs.root, f"fill(partial, {3 * MEBIBYTE}, {4 * MEBIBYTE})")
        killed_process(blobs.root, f"fill(partial, {0}, {MEBIBYTE})")
        assert finish(blobs) == SIZE - 2 * MEBIBYTE

    def test_after_a_power_loss_what_was_synced_is_there(self, blobs, reboot):
        with blobs.open_partial(BLOB) as opened:
            fill(opened, 0, 3 * MEBIBYTE // 2)
            opened.sync()
            fill(opened, 3 * MEBIBYTE, 5 * MEBIBYTE)
        reboot()
        assert finish(blobs) == SIZE - 3 * MEBIBYTE // 2

    def test_after_a_power_loss_what_was_not_synced_is_not(self, blobs, reboot):
        leave(blobs, (0, 3 * MEBIBYTE))
        reboot()
        with blobs.open_partial(BLOB) as opened:
            assert opened.resumed == 0
            assert opened._path.stat().st_blocks == 0
        assert finish(blobs) == SIZE

    def test_a_sync_does_not_vouch_for_what_is_written_while_it_works(
        self, blobs, reboot, monkeypatch
    ):
        sync = os.fdatasync
        with blobs.open_partial(BLOB) as opened:

            def sync_slowly(handle):
                sync(handle)
                fill(opened, 3 * MEBIBYTE, 5 * MEBIBYTE)

            fill(opened, 0, MEBIBYTE)
            monkeypatch.setattr(os, "fdatasync", sync_slowly)
            opened.sync()
            assert opened.written == 3 * MEBIBYTE
        reboot()
        assert finish(blobs) == SIZE - MEBIBYTE

    def test_a_sync_that_fails_vouches_for_nothing(self, blobs, reboot, monkeypatch):
        def fail(_):
            raise OSError(5, "Input/output error")

        with blobs.open_partial(BLOB) as opened:
            fill(opened, 0, 2 * MEBIBYTE)
            with monkeypatch.context() as patch:
                patch.setattr(os, "fdatasync", fail)
                with pytest.raises(StorageError, match="Input/output"):
                    opened.sync()
        reboot()
        assert finish(blobs) == SIZE

    def test_a_small_blob_writes_no_journal(self, blobs, monkeypatch):
        monkeypatch.setattr(partial_module, "Journal", None)
        blobs.write_bytes(Descriptor.of(b"template", "m"), b"template")
        assert in_partial(blobs) == []


class TestDamage:
    """What is damaged is thrown away, and stays away when the next process dies at once."""

    def assert_begins_anew(self, blobs):
        killed_process(blobs.root)
        with blobs.open_partial(BLOB) as opened:
            assert opened.resumed == 0
            assert opened.gaps() == [(0, SIZE)]
            assert opened._path.stat().st_blocks == 0
        assert finish(blobs) == SIZE

    @pytest.mark.parametrize("position", [0, 100, -40, -2])
    def test_of_the_journal(self, blobs, position):
        leave(blobs, (0, 4 * MEBIBYTE))
        journal = journal_path(path_of(blobs))
        content = bytearray(journal.read_bytes())
        content[position] ^= 1
        journal.write_bytes(content)
        self.assert_begins_anew(blobs)

    @pytest.mark.parametrize("content", [b"", b"blob", bytes(4096)], ids=["empty", "cut", "zeros"])
    def test_of_the_whole_journal(self, blobs, content):
        leave(blobs, (0, SIZE))
        journal_path(path_of(blobs)).write_bytes(content)
        self.assert_begins_anew(blobs)

    def test_by_a_journal_of_another_blob(self, blobs):
        leave(blobs, (0, 4 * MEBIBYTE))
        other = Descriptor.of(CONTENT[1:], "m")
        with blobs.open_partial(other) as opened:
            opened.write(0, CONTENT[1:CHUNK])
        journal_path(path_of(blobs, other)).replace(journal_path(path_of(blobs)))
        path_of(blobs, other).unlink()
        self.assert_begins_anew(blobs)

    @pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE + 1, 2 * SIZE])
    def test_by_a_file_that_is_not_as_long_as_the_blob(self, blobs, size):
        leave(blobs, (0, 4 * MEBIBYTE))
        os.truncate(path_of(blobs), size)
        self.assert_begins_anew(blobs)

    def test_by_a_file_that_somebody_removed(self, blobs):
        leave(blobs, (0, 4 * MEBIBYTE))
        path_of(blobs).unlink()
        self.assert_begins_anew(blobs)

    def test_by_a_journal_that_somebody_removed(self, blobs):
        leave(blobs, (0, 4 * MEBIBYTE))
        journal_path(path_of(blobs)).unlink()
        self.assert_begins_anew(blobs)

    def test_of_the_bytes_is_found_by_the_digest(self, blobs):
        leave(blobs, (0, 4 * MEBIBYTE))
        with path_of(blobs).open("r+b") as file:
            file.write(WRONG)
        with blobs.open_partial(BLOB) as opened:
            fill(opened)
            with pytest.raises(IntegrityError):
                opened.commit()
            opened.restart()
        self.assert_begins_anew(blobs)

    def test_of_what_only_looks_whole_is_found_by_the_digest(self, blobs):
        path_of(blobs).parent.mkdir(parents=True)
        path_of(blobs).write_bytes(CONTENT[:-1] + b"x")
        with blobs.open_partial(BLOB) as opened:
            assert opened.is_whole
            with pytest.raises(IntegrityError):
                opened.commit()
        # Whoever stores it begins anew.
        assert blobs.write(BLOB, [CONTENT])
        assert blobs.path(BLOB.digest).read_bytes() == CONTENT
        assert in_partial(blobs) == []

    def test_is_not_taken_for_a_broken_disk(self, blobs):
        leave(blobs, (0, MEBIBYTE))
        journal = journal_path(path_of(blobs))
        journal.unlink()
        journal.mkdir()
        for _ in range(2):
            with pytest.raises(StorageError, match="directory"):
                blobs.open_partial(BLOB, wait=False)
        journal.rmdir()
        assert finish(blobs) == SIZE


class TestFullDisk:
    def fill_up(self, opened):
        with pytest.raises(StorageError, match="full"):
            fill(opened)
        assert not opened.is_whole
        return opened.written

    def test_what_was_written_is_kept_until_there_is_room(self, tmp_path):
        with small_disk(tmp_path / "disk", "3m") as disk:
            blobs = Blobs(disk.folder / "models")
            with blobs.open_partial(BLOB) as opened:
                written = self.fill_up(opened)
                assert written > 2 * MEBIBYTE
            with blobs.open_partial(BLOB) as opened:
                assert opened.resumed == written
                self.fill_up(opened)
            disk.grow("16m")
            assert finish(blobs) == SIZE - written

    def test_killed_then_it_has_every_mebibyte(self, tmp_path):
        with small_disk(tmp_path / "disk", "3m") as disk:
            blobs = Blobs(disk.folder / "models")
            killed_process(blobs.root, "try: fill(partial)\nexcept Exception: pass")
            disk.grow("16m")
            assert finish(blobs) == SIZE - 2 * MEBIBYTE

    def test_one_that_has_no_room_for_the_journal_loses_a_mebibyte_at_most(self, tmp_path):
        with small_disk(tmp_path / "disk", "512k") as disk:
            blobs = Blobs(disk.folder / "models")
            with blobs.open_partial(BLOB) as opened:
                assert 0 < self.fill_up(opened) < MEBIBYTE
            disk.grow("16m")
            assert finish(blobs) == SIZE

    def test_once_it_is_let_go_nothing_more_is_noted(self, blobs, monkeypatch):
        def fail(*_, **__):
            raise StorageError("the disk is full")

        opened = blobs.open_partial(BLOB)
        fill(opened, 0, CHUNK)
        with monkeypatch.context() as patch:
            patch.setattr(partial_module, "Journal", fail)
            opened.close()
        opened.sync()
        assert in_partial(blobs) == [path_of(blobs).name]

    def test_a_note_that_found_no_room_is_made_later(self, blobs, monkeypatch):
        def fail(*_):
            raise StorageError("the disk is full")

        with blobs.open_partial(BLOB) as opened, monkeypatch.context() as patch:
            patch.setattr(Journal, "wrote", fail)
            with pytest.raises(StorageError):
                fill(opened, 0, MEBIBYTE)
        assert finish(blobs) == SIZE - MEBIBYTE
