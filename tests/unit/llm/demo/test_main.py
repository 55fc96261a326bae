"""The demo's model by its command."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from tests.support.migrate import REPOSITORY

COMMAND = (sys.executable, "-m", "socrates.llm.demo")


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen((*COMMAND, *arguments), cwd=REPOSITORY, stdout=pipe, stderr=pipe, text=True) as process:
        yield process
        process.send_signal(signal.SIGINT)


def test_it_answers_at_the_url_it_names_until_it_is_interrupted() -> None:
    with running("0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split(" at ")[1].split(". ")[0]
        answer = httpx2.post(
            f"{url}/v1/messages",
            headers={"x-api-key": "any"},
            json={"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]},
        )
        assert answer.status_code == 200
    assert process.returncode == 0


def test_a_port_that_is_taken_or_none_is_refused_with_advice() -> None:
    with running("0") as process:
        assert process.stdout is not None
        port = process.stdout.readline().split(":")[2].split(".")[0]
        for wrong in (port, "nonsense", "99999999"):
            refused = subprocess.run((*COMMAND, wrong), cwd=REPOSITORY, capture_output=True, text=True, check=False)
            assert refused.returncode == 2
            assert refused.stderr.startswith("error: ")
            assert "free port" in refused.stderr
