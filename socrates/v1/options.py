"""The options of an upgrade or downgrade, as ``alembic -x name=value`` gives them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from socrates.errors import ConfigurationError
from socrates.v1.times import Zone

_YES = {"1", "true", "yes", "on", ""}  # `-x dry_run` alone means yes
_NO = {"0", "false", "no", "off"}
_MODES = ("strict", "quarantine")


@dataclass(frozen=True, slots=True)
class Options:
    """What an owner may say about a migration."""

    url: str | None = None
    dry_run: bool = False
    """Do it all on a copy, or in a transaction that is rolled back, and report."""
    v1: Path | None = None
    """Import this v1 file into an empty database elsewhere."""
    strict: bool = True
    """Stop when a row cannot be read. Otherwise keep such rows in quarantine and go on."""
    v1_timezone: str | None = None
    """The zone of v1's naive times; None is this machine's."""
    backup_dir: Path | None = None
    """Where the backup goes; None is beside the database."""
    report: Path | None = None
    """A file for the report, as JSON."""
    discard: bool = False
    """Let a downgrade lose what was written since the import."""
    json: bool = False
    """Tell the outcome, or why there is none, as one JSON object on standard output."""

    def as_json(self) -> dict[str, object]:
        """What an import keeps of its options."""
        return {"on_bad": _MODES[0] if self.strict else _MODES[1], "v1": str(self.v1) if self.v1 else None}


def parse_options(given: Mapping[str, str | list[str]]) -> Options:
    """Read ``-x`` arguments. Raises ConfigurationError for an unknown name or a value that makes no sense."""
    known = ("url", "dry_run", "v1", "on_bad", "v1_timezone", "backup_dir", "report", "discard", "json")
    values: dict[str, str] = {}
    for name, value in given.items():
        if name not in known:
            raise ConfigurationError(f"there is no option -x {name}; there are: {', '.join(known)}")
        if not isinstance(value, str):
            raise ConfigurationError(f"-x {name} is given more than once")
        values[name] = value
    mode = values.get("on_bad", _MODES[0])
    if mode not in _MODES:
        raise ConfigurationError(f"-x on_bad={mode} is neither of {', '.join(_MODES)}")
    zone = values.get("v1_timezone")
    if zone is not None:
        Zone(zone)
    directory = _path(values, "backup_dir")
    if directory is not None and not directory.is_dir():
        raise ConfigurationError(f"-x backup_dir={directory} is not a directory; make it first")
    report = _path(values, "report")
    if values.get("url") == "":
        raise ConfigurationError("-x url= names nothing")
    return Options(
        url=values.get("url"),
        dry_run=_truth(values, "dry_run"),
        v1=_path(values, "v1"),
        strict=mode == _MODES[0],
        v1_timezone=zone,
        backup_dir=directory,
        report=report,
        discard=_truth(values, "discard"),
        json=_truth(values, "json"),
    )


def asks_for_json(given: Mapping[str, str | list[str]]) -> bool:
    """Whether the answer is to be JSON, even if another option makes no sense."""
    return str(given.get("json", "0")).lower() in _YES


def _path(values: Mapping[str, str], name: str) -> Path | None:
    value = values.get(name)
    if value == "":
        raise ConfigurationError(f"-x {name}= names nothing")
    if value is None:
        return None
    expanded = os.path.expanduser(value)
    if expanded.startswith("~"):
        raise ConfigurationError(f"-x {name}={value} names the home of a user who is not known")
    return Path(expanded)


def _truth(values: Mapping[str, str], name: str) -> bool:
    value = values.get(name, "0").lower()
    if value not in _YES | _NO:
        raise ConfigurationError(f"-x {name}={value} is neither 1 nor 0")
    return value in _YES
