"""Where an embedded server's files may lie: short enough for a socket, reachable for its user."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

_SOCKET_PATH_MAX = 100
"""Bytes of a unix socket's path that every system takes (Linux: 107, macOS: 103)."""

_SYSTEM_PLACE = Path("/var/lib/markov-shard")


def _key(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]


def socket_folder(data_dir: Path, longest_name: str) -> Path:
    """A folder for sockets: `run` in the data directory or, where that is too long, a private one in /tmp."""
    folder = data_dir / "run"
    if len(os.fsencode(folder / longest_name)) > _SOCKET_PATH_MAX:
        folder = Path(tempfile.gettempdir()) / f"markov-shard-{os.geteuid()}-{_key(data_dir)}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")
        folder.chmod(0o711)  # the sockets in it are private themselves
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


def everyone_reaches(path: Path) -> bool:
    """Whether any user may walk down to `path`."""
    path = path.resolve()
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)


def reachable_folder(data_dir: Path, name: str) -> Path:
    """`data_dir/name` or, where another user could not walk there (a home of mode 0700), a place it links to."""
    link = data_dir / name
    if link.is_symlink() or everyone_reaches(link):
        return link.resolve()
    target = _SYSTEM_PLACE / _key(data_dir) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    return target


def reachable_copies(folders: Sequence[Path], probe: Path, version: str) -> Path:
    """The parent of `folders` or, where another user could not run `probe` in one, of copies that everybody can."""
    if everyone_reaches(probe) and probe.stat().st_mode & 0o005 == 0o005:
        return folders[0].parent
    copies = _SYSTEM_PLACE / f"{folders[0].name}-{version}"
    if not copies.is_dir():
        _SYSTEM_PLACE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_SYSTEM_PLACE) as made:
            for folder in folders:
                shutil.copytree(folder, Path(made) / "all" / folder.name, symlinks=True)
            for path in (Path(made) / "all", *(Path(made) / "all").rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
            (Path(made) / "all").rename(copies)
    return copies
