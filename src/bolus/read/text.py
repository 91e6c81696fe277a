"""Words from files, made safe to show."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

_UID = re.compile(r"[0-9.]{1,64}")


def plain(value: Any, limit: int = 64) -> str:
    """Return a value as one short line without control, invisible or direction-changing characters."""
    if value is None:
        return ""
    kept = (" " if c.isspace() else c for c in str(value) if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(kept).split())[:limit]


def checked_uid(value: Any) -> str:
    """Return a UID, or nothing where it is not made of digits and dots (PS3.5 section 9.1)."""
    text = str(value or "").strip()
    return text if _UID.fullmatch(text) else ""


def short_hash(*parts: Any) -> str:
    """Return eight hexadecimal digits that stand for some values without showing them."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:8]
