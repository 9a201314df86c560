"""Where identities come from."""

from __future__ import annotations

import os
import threading
import time
import uuid

from gatewaylog.clock import SYSTEM_CLOCK, SystemClock


def test_identities_are_random_uuids_of_version_4_as_urns() -> None:
    clock = SystemClock()
    made = [clock.new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    for urn in made:
        known = uuid.UUID(urn)
        assert known.urn == urn
        assert (known.version, known.variant) == (4, uuid.RFC_4122)


def test_every_free_bit_of_an_identity_is_random() -> None:
    clock = SystemClock()
    numbers = [uuid.UUID(clock.new_id()).int for _ in range(400)]
    ever, always = 0, (1 << 128) - 1
    for number in numbers:
        ever, always = ever | number, always & number
    assert always == 0x4 << 76 | 0x8 << 60
    assert ever == (1 << 128) - 1 - (0xB << 76) - (0x4 << 60)


def test_threads_never_get_the_same_identity() -> None:
    clock, made = SystemClock(), list[str]()

    def work() -> None:
        made.extend([clock.new_id() for _ in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000


def test_a_child_never_gets_what_its_parent_had_in_store() -> None:
    SYSTEM_CLOCK.new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        os.write(writer, "\n".join(SYSTEM_CLOCK.new_id() for _ in range(80)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 65536).decode().split("\n")
    os.close(reader)
    os.close(writer)
    assert len(theirs) == 80
    assert not {SYSTEM_CLOCK.new_id() for _ in range(200)} & set(theirs)


def test_its_times_are_the_machines() -> None:
    clock = SystemClock()
    before = time.time()
    assert before <= clock.wall() <= time.time()
    assert clock.monotonic() <= clock.monotonic()
