"""Which types may be shown in a browser: what the bytes begin with decides, never what the sender says."""

_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
OTHER = "application/octet-stream"
SHOWN = (*dict.fromkeys(_PICTURES.values()), "image/webp")


def media_type(content: bytes) -> str:
    """A raster picture's type, or application/octet-stream for everything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _PICTURES.items() if content.startswith(start)), OTHER)
