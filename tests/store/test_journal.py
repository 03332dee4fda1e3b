"""The journal of a partial blob: what it is believed, after crashes and damage of every kind."""

import os
import resource
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import IntegrityError, StorageError
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.store import journal as journal_module
from smolctl.store.extents import Extent, Extents
from smolctl.store.journal import Journal, boot_id, read_journal
from tests.support.examples import examples

SIZE = 1000
BLOB = Descriptor("m", Digest.of(b"weights"), SIZE)

BOOTS = st.sampled_from(["monday", "tuesday"])
WRITTEN = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(
    lambda pair: Extent(pair[0], min(SIZE, pair[0] + pair[1]))
)
STEPS = st.lists(st.one_of(WRITTEN, BOOTS, st.sampled_from(["mark", "durable"])), max_size=12)
"""Bytes written, a process that goes on under a boot, a sync that begins, one that ends."""


class History:
    """The steps done to the journal at `path`, and what follows from them by the rules."""

    def __init__(self, path, first_boot, steps):
        self.noted = Extents()
        self._durable = Extents()
        self._since_boot = []
        self._boot = first_boot
        journal = Journal(path, BLOB, first_boot, fresh=True)
        mark = covered = 0
        for step in steps:
            if isinstance(step, Extent):
                journal.wrote(step)
                self.noted.add(step)
                self._since_boot.append(step)
            elif step == "mark":
                mark, covered = journal.length, len(self._since_boot)
            elif step == "durable":
                journal.durable(mark)
                for extent in self._since_boot[:covered]:
                    self._durable.add(extent)
            else:
                journal.close()
                journal = Journal(path, BLOB, step, fresh=False)
                if step != self._boot:
                    self._since_boot = []
                self._boot = step
                mark = covered = 0
        journal.close()

    def believed(self, boot):
        return Extents([*self._durable, *(self._since_boot if boot == self._boot else [])])


@contextmanager
def journal_of(boot, steps):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        yield path, History(path, boot, steps)


def is_within(some, all_of_it):
    return all(not all_of_it.gaps(extent) for extent in some)


def write_lines(path, *lines):
    """Make a journal of lines with right checksums, whatever they say."""
    with_checksums = [journal_module._with_checksum(line.encode()) + b"\n" for line in lines]
    path.write_bytes(b"".join(with_checksums))


def note(path, boot, *extents, fresh=False):
    """Write to the journal at `path` as a process does that is killed then."""
    journal = Journal(path, BLOB, boot, fresh=fresh)
    for extent in extents:
        journal.wrote(extent)
    journal.close()


HEADER = f"blob {BLOB.digest} {SIZE}"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


@given(BOOTS, STEPS, BOOTS)
def test_it_is_believed_what_is_on_disk_or_was_written_under_this_boot(first, steps, boot):
    with journal_of(first, steps) as (path, history):
        assert read_journal(path, BLOB, boot) == history.believed(boot)


def test_the_boot_that_wrote_believes_everything_and_another_what_is_durable(path):
    journal = Journal(path, BLOB, "monday", fresh=True)
    journal.wrote(Extent(0, 100))
    journal.durable(journal.length)
    journal.wrote(Extent(200, 300))
    journal.close()

    assert list(read_journal(path, BLOB, "monday")) == [(0, 100), (200, 300)]
    assert list(read_journal(path, BLOB, "tuesday")) == [(0, 100)]


def test_a_sync_covers_only_what_was_noted_before_it_began(path):
    journal = Journal(path, BLOB, "monday", fresh=True)
    journal.wrote(Extent(0, 100))
    began = journal.length
    journal.wrote(Extent(200, 300))
    journal.durable(began)
    journal.close()

    assert list(read_journal(path, BLOB, "tuesday")) == [(0, 100)]


def test_a_sync_after_a_reboot_does_not_cover_what_was_lost_in_it(path):
    note(path, "monday", Extent(0, 100), fresh=True)
    journal = Journal(path, BLOB, "tuesday", fresh=False)
    journal.wrote(Extent(200, 300))
    journal.durable(journal.length)
    journal.close()

    for boot in ("monday", "tuesday", "wednesday"):
        assert list(read_journal(path, BLOB, boot)) == [(200, 300)]


def test_a_sync_covers_what_another_process_wrote_under_the_same_boot(path):
    note(path, "monday", Extent(0, 100), fresh=True)
    journal = Journal(path, BLOB, "monday", fresh=False)
    journal.durable(journal.length)
    journal.close()

    assert list(read_journal(path, BLOB, "tuesday")) == [(0, 100)]


def test_what_was_written_before_two_reboots_is_not_believed_when_a_name_comes_back(path):
    note(path, "monday", Extent(0, 100), fresh=True)
    note(path, "tuesday")
    note(path, "monday")

    assert not read_journal(path, BLOB, "monday").total


def test_a_fresh_one_forgets_the_old_one(path):
    note(path, "monday", Extent(0, 100), fresh=True)
    note(path, "monday", fresh=True)

    assert not read_journal(path, BLOB, "monday").total


@examples(50)
@given(BOOTS, STEPS, BOOTS)
def test_cut_anywhere_it_never_speaks_of_bytes_that_were_not_noted(first, steps, boot):
    with journal_of(first, steps) as (path, history):
        content = path.read_bytes()
        header = content.index(b"\n") + 1
        for length in range(len(content)):
            path.write_bytes(content[:length])
            if length < header:
                with pytest.raises(IntegrityError):
                    read_journal(path, BLOB, boot)
            else:
                assert is_within(read_journal(path, BLOB, boot), history.noted)


@examples(50)
@given(STEPS, st.data())
def test_cut_anywhere_it_can_be_gone_on_with(steps, data):
    with journal_of("monday", steps) as (path, _):
        content = path.read_bytes()
        length = data.draw(st.integers(content.index(b"\n") + 1, len(content)))
        os.truncate(path, length)
        before = read_journal(path, BLOB, "monday")
        journal = Journal(path, BLOB, "monday", fresh=False)
        journal.wrote(Extent(5, 7))
        journal.close()

        after = read_journal(path, BLOB, "monday")
        assert not after.gaps(Extent(5, 7))
        assert is_within(before, after)


def believed_of_damage(path, content, boot):
    path.write_bytes(content)
    try:
        return read_journal(path, BLOB, boot)
    except IntegrityError:
        return Extents()


def test_zeros_at_its_end_are_what_a_power_loss_leaves_and_are_passed_over(path):
    journal = Journal(path, BLOB, "monday", fresh=True)
    journal.wrote(Extent(0, 10))
    journal.durable(journal.length)
    journal.close()
    with path.open("ab") as file:
        file.write(bytes(4096))

    assert read_journal(path, BLOB, "tuesday") == Extents([Extent(0, 10)])
    note(path, "tuesday", Extent(10, 20))
    assert read_journal(path, BLOB, "tuesday") == Extents([Extent(0, 20)])


@given(BOOTS, STEPS, BOOTS, st.data())
def test_one_byte_changed_never_makes_it_speak_of_more(first, steps, boot, data):
    with journal_of(first, steps) as (path, history):
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        assert is_within(believed_of_damage(path, content, boot), history.noted)


def test_every_byte_counts(path):
    journal = Journal(path, BLOB, "monday", fresh=True)
    journal.wrote(Extent(0, 100))
    journal.durable(journal.length)
    journal.wrote(Extent(200, 300))
    journal.close()
    content = path.read_bytes()
    for position in range(len(content)):
        for byte in {
            content[position] ^ 1,
            content[position] ^ 0x80,
            ord("\n"),
            ord(" "),
            ord("9"),
        }:
            if byte == content[position]:
                continue
            damaged = content[:position] + bytes([byte]) + content[position + 1 :]
            path.write_bytes(damaged)
            if position == len(content) - 1:  # an unfinished line, to all appearances
                assert list(read_journal(path, BLOB, "monday")) == [(0, 100)]
                continue
            with pytest.raises(IntegrityError):
                read_journal(path, BLOB, "monday")


@given(st.binary(max_size=200))
def test_rubbish_is_no_journal(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(content)
        with pytest.raises(IntegrityError):
            read_journal(path, BLOB, "monday")


@pytest.mark.parametrize(
    "other",
    [
        Descriptor("m", Digest.of(b"other weights"), SIZE),
        Descriptor("m", BLOB.digest, SIZE + 1),
        Descriptor("m", Digest.of(b"weights", "sha512"), SIZE),
    ],
    ids=["digest", "size", "algorithm"],
)
def test_another_blobs_is_not_believed(path, other):
    note(path, "monday", Extent(0, 100), fresh=True)

    with pytest.raises(IntegrityError, match=str(other.digest)):
        read_journal(path, other, "monday")


@pytest.mark.parametrize(
    "line",
    [
        f"wrote 0 {SIZE + 1}",
        f"wrote {SIZE} {SIZE + 1}",
        f"wrote 0 {2**70}",
        "wrote 5 5",
        "wrote 6 5",
        "wrote -1 5",
        "wrote 0 5 6",
        "wrote 0",
        "wrote 0x0 5",
        "durable",
        "durable -1",
        "boot",
        "boot a b",
        "removed 0 5",
        "",
        HEADER,
    ],
)
def test_a_line_that_makes_no_sense_is_damage_though_its_checksum_is_right(path, line):
    write_lines(path, HEADER, "boot monday", "wrote 0 100", line)

    with pytest.raises(IntegrityError):
        read_journal(path, BLOB, "monday")


def test_what_was_written_under_no_boot_is_not_believed(path):
    write_lines(path, HEADER, "wrote 0 100")

    assert not read_journal(path, BLOB, "monday").total


def test_none_is_told_from_a_damaged_one(path):
    with pytest.raises(FileNotFoundError):
        read_journal(path, BLOB, "monday")


def test_a_huge_file_is_not_read(path):
    path.touch()
    os.truncate(path, journal_module._MAXIMUM_SIZE + 1)

    with pytest.raises(IntegrityError, match="longer than any"):
        read_journal(path, BLOB, "monday")


def test_threads_do_not_write_into_each_others_lines(path):
    journal = Journal(path, BLOB, "monday", fresh=True)

    def write(first):
        for start in range(first, SIZE, 4):
            journal.wrote(Extent(start, start + 1))
            if start % 50 == 0:
                journal.durable(journal.length)

    threads = [threading.Thread(target=write, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()

    assert list(read_journal(path, BLOB, "monday")) == [(0, SIZE)]


@contextmanager
def files_up_to(size):
    """Let no file grow past `size`: like a disk that is full, it takes half a line."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", range(len("wrote 100 200 01234567\n")))
def test_a_line_that_a_full_disk_took_half_of_spoils_no_other(path, room):
    journal = Journal(path, BLOB, "monday", fresh=True)
    journal.wrote(Extent(0, 100))
    with files_up_to(journal.length + room):
        for _ in range(2):
            with pytest.raises(StorageError, match="full"):
                journal.wrote(Extent(100, 200))
    journal.wrote(Extent(300, 400))
    journal.close()

    assert list(read_journal(path, BLOB, "monday")) == [(0, 100), (300, 400)]


def test_one_that_cannot_be_begun_leaves_no_open_file(path):
    def lowest_free():
        handle = os.dup(0)
        os.close(handle)
        return handle

    before = lowest_free()
    with files_up_to(10), pytest.raises(StorageError, match="full"):
        Journal(path, BLOB, "monday", fresh=True)
    assert lowest_free() == before
    with pytest.raises(StorageError):
        Journal(path / "nowhere", BLOB, "monday", fresh=True)


def test_a_boot_keeps_its_name(monkeypatch, tmp_path):
    file = tmp_path / "boot_id"
    monkeypatch.setattr(journal_module, "_BOOT_ID", str(file))
    file.write_text("0c9cdd08-0000\n")

    assert boot_id() == "0c9cdd08-0000" == boot_id()


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\n"])
def test_a_machine_that_does_not_name_its_boots_gets_a_new_name_each_time(
    monkeypatch, tmp_path, content
):
    file = tmp_path / "boot_id"
    monkeypatch.setattr(journal_module, "_BOOT_ID", str(file))
    if content is not None:
        file.write_bytes(content)

    names = {boot_id() for _ in range(3)}
    assert len(names) == 3
    assert all(len(name.split()) == 1 for name in names)
