"""Whatever happens to a blob on its way in, in whatever order, it becomes the blob."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import IntegrityError
from smolctl.model.descriptor import Descriptor
from smolctl.store import partial as partial_module
from smolctl.store.blobs import Blobs
from smolctl.store.partial import journal_path
from tests.store.writer import CONTENT
from tests.support.examples import examples

SMALL = CONTENT[:3000]
SMALL_BLOB = Descriptor.of(SMALL, "m")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, len(SMALL)), st.integers(0, 700)),
        st.tuples(st.just("overwrite"), st.integers(0, len(SMALL)), st.integers(0, 700)),
        st.tuples(st.sampled_from(["hash", "sync", "close", "kill", "restart"])),
        st.tuples(st.just("power loss"), st.floats(0, 1)),
    ),
    max_size=25,
)


class Life:
    """A partial blob through whatever happens to it, beside what must be there of it.

    `present` are the bytes that are written, `durable` those that must survive a power loss. A
    power loss here takes every byte that was not synced, and some of the journal that was not.
    """

    def __init__(self, folder, patch):
        self._blobs = Blobs(folder)
        self._path = self._blobs.partial_path(SMALL_BLOB.digest)
        self._patch = patch
        self._boots = 0
        self.present = set()
        self.durable = set()
        self.synced_journal = 0
        self.open(set())

    def open(self, sound):
        """Take it up again; `sound` are the bytes that are in the file as they should be."""
        has_journal = journal_path(self._path).exists()
        self._partial = self._blobs.open_partial(SMALL_BLOB, wait=False)
        self._wrote_since = False
        gaps = self._partial.gaps()
        found = set(range(len(SMALL))).difference(*(range(*gap) for gap in gaps))
        assert self._partial.resumed == len(found)
        if found and not has_journal and found != sound:
            # Every block of the file is taken: it may be whole, and the digest says that it is not.
            assert self._partial.is_whole
            with pytest.raises(IntegrityError):
                self._partial.commit()
            self.restart()
            found = set()
        return found

    def write(self, offset, size):
        piece = SMALL[offset : offset + size]
        new = set(range(offset, offset + len(piece))) - self.present
        assert self._partial.write(offset, piece) == len(new)
        self.present |= new
        self._wrote_since |= bool(new)
        assert self._partial.written == len(self.present)

    def overwrite(self, offset, size):
        if set(range(offset, offset + size)) <= self.present:
            assert self._partial.write(offset, bytes(size)) == 0

    def hash(self):
        self._partial.hash_some()

    def sync(self):
        self._partial.sync()
        if self._wrote_since:
            self.durable = set(self.present)
            self.synced_journal = journal_path(self._path).stat().st_size

    def close(self):
        self._partial.close()
        assert self.open(self.present) == self.present

    def kill(self):
        self._let_go()
        found = self.open(self.present)
        assert self.durable <= found <= self.present
        self.present = found

    def power_loss(self, kept_of_the_journal):
        self._let_go()
        with self._path.open("r+b") as file:
            for offset in range(len(SMALL)):
                if offset not in self.durable:
                    os.pwrite(file.fileno(), b"\0", offset)
        journal = journal_path(self._path)
        if journal.exists():
            unsynced = journal.stat().st_size - self.synced_journal
            os.truncate(journal, self.synced_journal + round(unsynced * kept_of_the_journal))
        self._boots += 1
        self._patch.setattr(partial_module, "boot_id", lambda: f"boot-{self._boots}")
        self.present = self.open(self.durable)
        assert self.present == self.durable
        if not self.durable:
            self.synced_journal = 0

    def restart(self):
        self._partial.restart()
        self._wrote_since = False
        self.present = set()
        self.durable = set()
        self.synced_journal = 0

    def finish(self):
        for gap in self._partial.gaps():
            self.write(gap.start, gap.size)
        self._partial.commit()
        self._partial.close()
        assert self._blobs.path(SMALL_BLOB.digest).read_bytes() == SMALL
        assert list((self._blobs.root / "partial").iterdir()) == []

    def _let_go(self):
        """Leave everything as a process does that is killed: the kernel closes its files."""
        if self._partial._journal is not None:
            self._partial._journal.close()
        os.close(self._partial._handle)


@examples(150)
@given(STEPS)
def test_whatever_happens_to_it_it_becomes_the_blob(tmp_path_factory, steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_module, "_NOTED", 256)
        patch.setattr(partial_module, "_HASHED_AT_ONCE", 128)
        patch.setattr(partial_module, "boot_id", lambda: "boot-0")
        life = Life(tmp_path_factory.mktemp("models"), patch)
        for name, *arguments in steps:
            getattr(life, name.replace(" ", "_"))(*arguments)
        life.finish()
