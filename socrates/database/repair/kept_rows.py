"""The file beside a database that holds the rows which a repair could not leave in it."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from socrates.tagged_json import encode


class KeptRows:
    """Writes rows to a new file as they come: one JSON object, whose `rows` have a table, a reason, and the values.

    Values are tagged JSON, so bytes come back as bytes. Nobody else may read the file. Without a row there is none;
    when the `with` block ends before it is said that it `stays`, it is removed.
    """

    def __init__(self, path: Path, database: Path) -> None:
        self.path = path
        self.tables: Counter[str] = Counter()
        """How many rows of which table it holds."""
        self._database = database
        self._partial = path.with_name(path.name + ".partial")
        self._descriptor: int | None = None
        self._is_made = False
        self.stays = False
        """Set when what depends on the file is done: until then it is removed when the block ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if not self.stays and self._is_made:
            self._remove(error)

    def _remove(self, error: BaseException | None) -> None:
        """Remove the file. Where that fails after `error`, it is noted on that, which is what its owner is told."""
        for path in (self._partial, self.path):
            try:
                path.unlink(missing_ok=True)
            except OSError as reason:
                if error is None:
                    raise
                error.add_note(f"{path} is left of it and could not be removed ({reason}): remove it.")

    def add(self, table: str, reason: str, row: Mapping[str, object]) -> None:
        """Keep one row. `table` may name several that it may be of."""
        if self._descriptor is None:
            self._descriptor = os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self._is_made = True
            head = {"database": str(self._database), "kept_at": datetime.now(UTC).isoformat()}
            self._write(json.dumps(head)[:-1] + ', "rows": [\n')
        separator = ",\n" if self.tables else ""
        self._write(separator + json.dumps({"table": table, "reason": reason, "row": encode(dict(row))}))
        self.tables[table] += 1

    def finish(self) -> Path | None:
        """Have the file on the disk under its name, and return that; None when there was nothing to keep."""
        if self._descriptor is None:
            return None
        self._write("\n]}\n")
        os.fsync(self._descriptor)
        self._close()
        os.rename(self._partial, self.path)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return self.path

    def _write(self, text: str) -> None:
        content = text.encode("ascii")
        while content and self._descriptor is not None:
            content = content[os.write(self._descriptor, content) :]

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
