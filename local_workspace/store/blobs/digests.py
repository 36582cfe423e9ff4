"""MD5 and CRC-64 as Azure Storage uses them: against damage on the way, not against an attacker."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

_POLYNOMIAL = 0x9A6C9329AC4BC9B5  # of Azure Storage's CRC-64 (CRC-64/NVME), bits reversed
_ALL_ONES = 0xFFFF_FFFF_FFFF_FFFF


def new_md5() -> hashlib._Hash:
    """A new MD5, also where the system's policy forbids it for security."""
    return hashlib.md5(usedforsecurity=False)


def md5_text(data: bytes) -> str:
    """The MD5 of `data` in base64, as in Content-MD5."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@cache
def _crc64_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def crc64(data: bytes, crc: int = 0) -> int:
    """The CRC-64 of Azure Storage of `data`, going on from `crc`.

    In plain Python (some 10 MB/s): no client of Azure ML sends it, so it only has to be right.
    """
    table = _crc64_table()
    crc ^= _ALL_ONES
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ _ALL_ONES
