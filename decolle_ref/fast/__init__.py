"""The only home of in-place, fused and threaded code; each piece is tested against its readable definition."""

from decolle_ref.fast import analog
from decolle_ref.fast.update import descend

__all__ = ["analog", "descend"]
