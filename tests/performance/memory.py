"""How much memory this process takes."""

from pathlib import Path


def resident(what: str) -> int:
    """The bytes of this process in memory: VmRSS now, VmHWM at the most so far. Of the process itself: what
    `getrusage` says begins with the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))
