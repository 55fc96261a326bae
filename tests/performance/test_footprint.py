"""What the data layer needs at rest and at work."""

import subprocess
import sys
from pathlib import Path

from tests.support.stores import fresh_file

WORK = """
import asyncio, sys
from socrates import NewMessage, Store

async def main():
    async with Store.open(sys.argv[1]) as store:
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="p")
            await unit.conversations.append_many("p", [NewMessage("user", "It must lend books. " * 10)] * 1000)
        await asyncio.gather(*(store.conversations.last("p") for _ in range(100)))
        await asyncio.gather(*(store.projects.details("p") for _ in range(100)))
    status = open("/proc/self/status").read()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))

asyncio.run(main())
"""


def test_the_data_layer_stays_below_100_megabytes_with_all_readers_at_work(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WORK, str(fresh_file(tmp_path))], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 100 * 1024
