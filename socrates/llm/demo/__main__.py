"""`python -m socrates.llm.demo [PORT]`: the demo's model, until Ctrl-C."""

import sys
import threading
from contextlib import suppress

from socrates.llm.demo.server import ModelServer

_PORT = 8765


def main(arguments: list[str]) -> int:
    """Serve, and return the exit status."""
    try:
        port = int(arguments[0]) if arguments else _PORT
        with ModelServer(port=port) as server:
            sys.stdout.write(f"A model for demonstrations listens at {server.url}. Ctrl-C ends it.\n")
            sys.stdout.flush()
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    except (OSError, OverflowError, ValueError) as error:
        sys.stderr.write(f"error: {error}. Give the number of a free port: python -m socrates.llm.demo {_PORT + 1}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
