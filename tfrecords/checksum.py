"""The checksum that frames a TFRecord: CRC-32C, masked as TensorFlow does it."""

from __future__ import annotations

import crc32c


def masked_crc(data: bytes | memoryview) -> int:
    """The masked CRC-32C of `data`, 32 bits, as it stands (little-endian) behind a record's length and its data."""
    crc = crc32c.crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
