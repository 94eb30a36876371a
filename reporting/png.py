"""A chart as a PNG image, drawn in this process: no browser, no network."""

import struct
import zlib
from collections.abc import Iterator

import altair as alt
import vl_convert

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def render(chart: alt.TopLevelMixin) -> bytes:
    """Draw the chart and return the PNG file's content."""
    # The data is in the chart, and vl-convert brings its fonts along: no address is allowed.
    return _squeeze(vl_convert.vegalite_to_png(chart.to_dict(validate=False), scale=1, allowed_base_urls=[]))


def _squeeze(png: bytes) -> bytes:
    """The same image at a quarter of the size: vl-convert compresses for speed, and these are kept for years."""
    chunks = list(_chunks(png))
    pixels = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    squeezed = [(b"IDAT", zlib.compress(pixels))]
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [chunks[0], *[c for c in chunks[1:-1] if c[0] != b"IDAT"], *squeezed, chunks[-1]]
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12
