"""Arrays as memory files that Verilog's `$readmemh` reads: hexadecimal two's complement, one file per signal.

>>> narrow = Profile(format="fixed", sigma_ulps=1, integer_bits=3, fraction_bits=4)
>>> print(text("layer1_b", np.array([0.5, -0.25]), narrow), end="")
// layer1_b: shape 2, C order (last axis fastest), 2 words
// Q3.4: 8 bits, two's complement, value = integer / 2^4
// reg signed [7:0] layer1_b [0:1]; initial $readmemh("layer1_b.hex", layer1_b);
08 fc
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from decolle_ref._util import store
from decolle_ref._util.check import Array, InputError
from decolle_ref.oracle.profile import Profile

EVENT_BITS = 16  # of a spike or a count, an integer without a sign
SPIKES = "inputs", "S"  # arrays of events, by their names within a layer


def validate(profile: Profile | None) -> None:
    """Validate that there is a format in which memory files can be written.

    Parameters
    ----------
    profile : of the device, or None

    Raises
    ------
    InputError
        Unless the profile is in fixed point.
    """
    if profile is None or not profile.fixed:
        got = "none" if profile is None else profile.format
        raise InputError(f"hex: expected a profile in fixed point, such as Q8.16, got {got}")


def text(name: str, x: Array, profile: Profile) -> str:
    """One array as the text of a memory file.

    Parameters
    ----------
    name : its name in a case or a trace; `inputs` and spikes become integers without a sign, of 16 bits
    x : any shape; numbers between two of the format are rounded to the nearest one
    profile : in fixed point

    Returns
    -------
    str
        Comments that state the shape, the format and a declaration; then one row of the last axis per line.

    Raises
    ------
    InputError
        For events that are not integers from 0 to 65535.
    """
    events = name.split("_")[-1] in SPIKES
    bits = EVENT_BITS if events else 1 + profile.integer_bits + profile.fraction_bits
    integers = _events(name, x) if events else np.rint(np.ldexp(profile.quantise(x), profile.fraction_bits))
    words = integers.astype(np.int64) & ((1 << bits) - 1)
    rows = words.reshape(-1, words.shape[-1] if words.ndim else 1).tolist()
    lines = [" ".join(f"{word:0{-(-bits // 4)}x}" for word in row) for row in rows]
    return "\n".join([*_header(name, words, bits, None if events else profile), *lines, ""])


def _header(name: str, x: Array, bits: int, profile: Profile | None) -> list[str]:
    """Three lines of comments; without a profile, the numbers are events."""
    sign, kind = "", f"events: {bits} bits, integers without a sign"
    if profile is not None:
        q = f"Q{profile.integer_bits}.{profile.fraction_bits}"
        sign, kind = "signed ", f"{q}: {bits} bits, two's complement, value = integer / 2^{profile.fraction_bits}"
    shape = " ".join(map(str, x.shape)) or "of one number"
    return [
        f"// {name}: shape {shape}, C order (last axis fastest), {x.size} words",
        f"// {kind}",
        f'// reg {sign}[{bits - 1}:0] {name} [0:{x.size - 1}]; initial $readmemh("{name}.hex", {name});',
    ]


def _events(name: str, x: Array) -> Array:
    x = np.asarray(x, np.float64)
    if not ((x == np.floor(x)) & (x >= 0) & (x < 1 << EVENT_BITS)).all():
        raise InputError(f"hex: expected integers from 0 to {(1 << EVENT_BITS) - 1} as {name}, got others")
    return x


def write(folder: Path, arrays: Mapping[str, Array], profile: Profile) -> None:
    """Write one memory file per array.

    Parameters
    ----------
    folder : a folder that is there
    arrays : by name
    profile : in fixed point

    Raises
    ------
    InputError
        As `text`.
    """
    for name, x in arrays.items():
        content = text(name, x, profile).encode()
        with store.writing(folder / f"{name}.hex"):
            (folder / f"{name}.hex").write_bytes(content)
