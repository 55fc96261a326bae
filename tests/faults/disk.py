"""Disks that are full: a real small one where the system lets this process have it, else a limit of file sizes.

The real one is a tmpfs that only this process sees and that is gone with it. Mounting it takes root or a user
namespace, which not every machine grants. The stand-in exists everywhere: the system lets no file grow over a size, and
SQLite meets an error at the write that would.
"""

import ctypes
import os
import resource
import shutil
import signal
from pathlib import Path

_BYTES = 64 * 1024 * 1024  # room enough for the check of free space that comes first
_BALLAST = ".ballast"
_NEW_NAMESPACE, _NEW_USER = 0x00020000, 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER
_PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE: what is mounted here, nobody else sees


class Disk:
    """The disk of a directory, to be filled up at some moment."""

    def __init__(self, directory: Path) -> None:
        """Mount a small disk over `directory`, with what it holds, if that is permitted."""
        self._directory = directory
        self._beneath = os.open(directory, os.O_RDONLY)
        content = {path.name: path.read_bytes() for path in directory.iterdir()}
        self.is_real = _mount_tmpfs(directory)
        if self.is_real:
            for name, data in content.items():
                (directory / name).write_bytes(data)

    def fill(self, left: int) -> None:
        """Leave `left` bytes, in whole blocks; where the disk is no real one, let no file grow by more than that."""
        if not self.is_real:
            sizes = [path.stat().st_size for path in self._directory.iterdir() if path.is_file()]
            limit_file_size(max(sizes, default=0) + left)
            return
        room = shutil.disk_usage(self._directory).free - left
        with (self._directory / _BALLAST).open("wb") as ballast:
            if room > 0:
                os.posix_fallocate(ballast.fileno(), 0, room)

    def give_back(self) -> None:
        """Put what the small disk holds into the directory beneath it."""
        if not self.is_real:
            return
        beneath = Path(f"/proc/self/fd/{self._beneath}")
        for path in beneath.iterdir():
            path.unlink()
        for path in self._directory.iterdir():
            if path.name != _BALLAST:
                (beneath / path.name).write_bytes(path.read_bytes())


def limit_file_size(size: int, *, deadly: bool = False) -> None:
    """From now on no file of this process grows over `size` bytes. `deadly`: the process dies of trying."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _mount_tmpfs(directory: Path) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        entered = libc.unshare(_NEW_NAMESPACE) == 0
    else:
        entered = libc.unshare(_NEW_NAMESPACE | _NEW_USER) == 0
        if entered:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    if not entered or libc.mount(None, b"/", None, _PRIVATE, None) != 0:
        return False
    return bool(libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, f"size={_BYTES}".encode()) == 0)
