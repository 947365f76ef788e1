"""File systems by path, and what the kernel says of free memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.bench import places

MOUNTS = """\
/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
/dev/vdb /home/a\\040b xfs rw 0 0
overlay /home overlay rw 0 0
tmpfs /home btrfs rw 0 0
short
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/tmp/x", "ext4"),
        ("/dev/shm", "tmpfs"),
        ("/dev/shm/a/b", "tmpfs"),
        ("/dev/shmx", "ext4"),
        ("/home/a b/c", "xfs"),
        ("/home/other", "btrfs"),
    ],
)
def test_the_longest_mount_point_counts_and_of_two_the_later(path: str, kind: str) -> None:
    assert places.file_system_of(Path(path), MOUNTS) == kind


def test_without_mounts_it_is_unknown() -> None:
    assert places.file_system_of(Path("/x"), "") == "unknown"


def test_this_machine_has_a_file_system_and_room(tmp_path: Path) -> None:
    assert places.file_system(tmp_path) != "unknown"
    assert places.free_bytes(tmp_path) > 0
    memory = places.memory_directory()
    assert memory is None or places.file_system(memory) == "tmpfs"


def test_available_memory_is_in_bytes() -> None:
    assert places.available_memory_bytes("MemTotal: 10 kB\nMemAvailable:   2048 kB\n") == 2 * 1024 * 1024
    assert places.available_memory_bytes("MemTotal: 10 kB\n") == 0
    assert places.available_memory_bytes() > 0
