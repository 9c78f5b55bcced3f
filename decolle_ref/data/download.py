"""One file from the network: whole, with the right checksum, or an error in one line."""

import hashlib
from contextlib import closing

from decolle_ref._util.check import InputError, first_line
from decolle_ref._util.progress import Progress

CHUNK = 1 << 16  # bytes fetched at a time


def fetch(url: str, algorithm: str, digest: str, quiet: bool = False) -> bytes:
    """The content of a file.

    Parameters
    ----------
    url : str
        Its address.
    algorithm : str
        The name of the checksum in `hashlib`.
    digest : str
        The published checksum, in hexadecimal digits.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    bytes

    Raises
    ------
    InputError
        If the address cannot be reached, breaks off, or sends something else.
    """
    import http.client  # imported here and below, because these modules are slow to import and rarely needed
    import urllib.error

    try:
        content, announced = _receive(url, quiet)
    except (OSError, http.client.HTTPException, ValueError) as problem:  # ValueError: not an address
        if isinstance(problem, urllib.error.HTTPError):
            problem.close()  # because it holds the connection open
        raise InputError(f"{url}: expected a download, got none ({first_line(problem)})") from None
    if announced is not None and len(content) != announced:
        raise InputError(f"{url}: expected {announced} bytes, got {len(content)}")
    actual = hashlib.new(algorithm, content).hexdigest()
    if actual != digest:
        raise InputError(f"{url}: expected {algorithm} {digest}, got {actual}")
    return content


def _receive(url: str, quiet: bool) -> tuple[bytes, int | None]:
    """The bytes received, and how many the server announced, None if it did not say."""
    import urllib.request

    content = bytearray()
    with urllib.request.urlopen(url, timeout=60) as answer:
        length = answer.headers["Content-Length"]
        announced = int(length) if length else None
        name = url.rsplit("/", 1)[-1]
        with closing(Progress(name, announced, quiet=quiet, unit="B", unit_scale=True)) as bar:
            while chunk := answer.read(CHUNK):
                content += chunk
                bar.advance("", by=len(chunk))
    return bytes(content), announced
