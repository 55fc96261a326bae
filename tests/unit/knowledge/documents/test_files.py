"""Only ordinary files inside the root are read, whatever stands in their place, and never more than the limit."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from socrates.errors import DocumentError, InvalidValueError
from socrates.knowledge.documents import files
from socrates.knowledge.documents.files import Refused, found_in, read

LIMIT = 1_000
TEXTS = frozenset({".txt"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with a file in it, beside a secret that lies outside."""
    (tmp_path / "secret.txt").write_text("secret")
    inside = tmp_path / "root"
    (inside / "deep" / "er").mkdir(parents=True)
    (inside / "deep" / "er" / "a.txt").write_text("inside")
    return inside


def test_a_file_is_read_as_it_is(root: Path) -> None:
    assert read(root / "deep/er/a.txt", root, LIMIT) == read(root / "deep/er/a.txt", None, LIMIT) == b"inside"


@pytest.mark.parametrize("path", ["../secret.txt", "deep/../../secret.txt", "/etc/passwd", "../not there.txt", ".."])
def test_no_path_leaves_the_root_nor_tells_what_is_outside(root: Path, path: str) -> None:
    with pytest.raises(InvalidValueError, match="leads out of the directory that the setting documents_root allows"):
        read(root / path, root, LIMIT)


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", "..", "to-secret.txt"])
def test_no_link_leaves_the_root(root: Path, target: str) -> None:
    (root / "to-secret.txt").symlink_to("../secret.txt")
    (root / "link.txt").symlink_to(target)
    with pytest.raises(InvalidValueError, match="leads out"):
        read(root / "link.txt", root, LIMIT)


def test_a_link_inside_the_root_is_followed(root: Path) -> None:
    (root / "link.txt").symlink_to("deep/er/a.txt")
    (root / "folder").symlink_to("deep/er")
    assert read(root / "link.txt", root, LIMIT) == read(root / "folder/a.txt", root, LIMIT) == b"inside"


def test_the_root_may_be_reached_by_a_link_itself(root: Path) -> None:
    (link := root.parent / "link").symlink_to(root)
    assert read(root / "deep/er/a.txt", link, LIMIT) == b"inside"


@pytest.mark.parametrize("swapped", ["deep", "deep/er", "deep/er/a.txt"])
def test_a_link_that_is_put_there_after_the_look_leads_nowhere(
    root: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = root.parent / "outside"
    (outside / "er").mkdir(parents=True)
    for name in ("a.txt", "er/a.txt"):
        (outside / name).write_text("outside")
    target = {"deep": outside, "deep/er": outside, "deep/er/a.txt": outside / "a.txt"}[swapped]
    look = files._require_file
    looks = 0

    def swap_then_look(path: Path, mode: int) -> None:
        nonlocal looks
        look(path, mode)
        looks += 1
        if looks == 1:
            (root / swapped).rename(root / "away")
            (root / swapped).symlink_to(target)

    monkeypatch.setattr(files, "_require_file", swap_then_look)
    with pytest.raises(DocumentError, match="cannot be read"):
        read(root / "deep/er/a.txt", root, LIMIT)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = {"a directory": Path.mkdir, "a pipe": pipe, "a socket": a_socket, "a device": link_to_a_device}


@pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL.keys())
def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path, make: object) -> None:
    make(tmp_path / "special.txt")  # type: ignore[operator]
    with pytest.raises(InvalidValueError, match="no ordinary file"):
        read(tmp_path / "special.txt", None, LIMIT)


def test_a_pipe_that_is_put_there_after_the_look_does_not_hold_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("a")
    look = files._require_file
    looks = 0

    def look_then_swap(path: Path, mode: int) -> None:
        nonlocal looks
        look(path, mode)
        looks += 1
        if looks == 1:
            path.unlink()
            os.mkfifo(path)

    monkeypatch.setattr(files, "_require_file", look_then_swap)
    with pytest.raises(InvalidValueError, match="no ordinary file"):
        read(tmp_path / "a.txt", None, LIMIT)


def test_a_file_has_as_many_bytes_as_the_limit_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a" * LIMIT)
    assert len(read(tmp_path / "a.txt", None, LIMIT)) == LIMIT
    (tmp_path / "a.txt").write_bytes(b"a" * (LIMIT + 1))
    with pytest.raises(InvalidValueError, match=r"larger than 0.001 MB.*SOCRATES_MAX_DOCUMENT_MB"):
        read(tmp_path / "a.txt", None, LIMIT)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="files that do not tell their size are Linux's")
def test_a_file_that_does_not_tell_its_size_is_not_read_beyond_the_limit() -> None:
    assert os.stat("/proc/self/status").st_size == 0
    with pytest.raises(InvalidValueError, match="larger than"):
        read(Path("/proc/self/status"), None, 10)


def test_a_sparse_file_of_a_terabyte_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    os.truncate(tmp_path / "a.txt", 10**12)
    with pytest.raises(InvalidValueError, match="larger than"):
        read(tmp_path / "a.txt", None, LIMIT)


@pytest.mark.parametrize("name", ["not there.txt", "loop.txt", "a" * 300])
def test_what_cannot_be_opened_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(DocumentError, match="cannot be read"):
        read(tmp_path / name, None, LIMIT)


def test_a_path_with_a_nul_is_none() -> None:
    with pytest.raises(InvalidValueError, match="is no path"):
        read(Path("a\0.txt"), None, LIMIT)


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read everything: without its rights for as long as the test runs."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


@pytest.fixture
def locked() -> Iterator[Path]:
    """A directory that all can read, with a file and a directory that nobody can."""
    # Not below pytest's own directory, into which nobody else may look.
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "locked.txt").write_text("a")
        (directory / "locked.txt").chmod(0)
        (directory / "locked").mkdir(mode=0)
        yield directory


def test_a_file_that_may_not_be_read_is_an_error_of_ours(locked: Path, as_nobody: None) -> None:
    with pytest.raises(DocumentError, match=r"locked.txt cannot be read: Permission denied"):
        read(locked / "locked.txt", None, LIMIT)


def test_a_directory_that_may_not_be_listed_is_told(locked: Path, as_nobody: None) -> None:
    _, found = found_in(locked, None, TEXTS, True)
    assert found == [
        locked / "locked.txt",
        Refused(locked / "locked", "cannot be listed: Permission denied"),
    ]


def test_files_are_found_by_their_type_in_order(root: Path) -> None:
    for name in ("b.TXT", "a.txt", "c.exe", "txt", "deep/z.Txt"):
        (root / name).touch()
    (root / "again").symlink_to("deep")
    place, found = found_in(root, root, TEXTS, True)
    names = [file.relative_to(place).as_posix() for file in found if isinstance(file, Path)]
    assert names == ["a.txt", "b.TXT", "deep/z.Txt", "deep/er/a.txt"]
    assert found_in(root, root, TEXTS, False)[1] == [root / "a.txt", root / "b.TXT"]


@pytest.mark.parametrize("name", ["root/deep/er/a.txt", "nowhere"])
def test_what_is_no_directory_is_refused(root: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match="is no directory"):
        found_in(root.parent / name, None, TEXTS, True)


def test_a_directory_outside_the_root_is_refused(root: Path) -> None:
    with pytest.raises(InvalidValueError, match="leads out"):
        found_in(root.parent, root, TEXTS, True)
