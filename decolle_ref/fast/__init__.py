"""The only home of in-place, fused and threaded code; each piece is tested against its readable definition."""

from decolle_ref.fast import convnet as convnet
from decolle_ref.fast.update import update_layer

__all__ = ["convnet", "update_layer"]
