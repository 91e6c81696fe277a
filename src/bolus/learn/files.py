"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bolus.core.errors import OutputFailed, UnreadableFile


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside `path` to write to; it takes the place of `path` when the block ends well.

    Raises
    ------
    OutputFailed
        If the disk refuses; nothing half-written stays.
    """
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield made
        os.replace(made, path)  # noqa: PTH105 - one step, also where the target is there
    except OSError as error:
        raise OutputFailed("the file could not be written", where=path, found=reason(error)) from error
    finally:
        made.unlink(missing_ok=True)


def write_json(path: Path, document: Any) -> None:
    """Write a document as JSON, whole or not at all; infinite numbers and NaN are refused."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    with whole(path) as made:
        made.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, what: str) -> Any:
    """Read a JSON document.

    Raises
    ------
    UnreadableFile
        If the file is missing or not JSON; `what` says what it should have been.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{what} cannot be read", where=path, found=reason(error)) from error


def reason(error: Exception) -> str:
    """Return why something failed, without the path that the message names anyway."""
    return getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0] or type(error).__name__


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises
    ------
    UnreadableFile
        If the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile("the file cannot be read", where=path, found=reason(error)) from error
