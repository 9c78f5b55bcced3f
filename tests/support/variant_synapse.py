"""Connections and pools of the valid variants: dense layers, and convolutions as a matrix, by places or by FFT.

A dense layer is the convolution of one place whose kernel covers all inputs, so both are one sum over patches.
"""

import numpy as np

from decolle_ref.decolle.pool import MaxPool


class Connections:
    """W P and its gradient, in the arithmetic of a machine."""

    def __init__(self, m, entry):
        self.m, self.conv = m, entry.get("conv")
        shape = (1, 1, 1)
        if self.conv:
            self.shape_in = tuple(self.conv[x] for x in ("channels_in", "height", "width"))
            self.kernel, self.stride, self.padding = (self.conv[x] for x in ("kernel", "stride", "padding"))
            rows, columns = ((side + 2 * self.padding - self.kernel) // self.stride + 1 for side in self.shape_in[1:])
            shape = self.conv["channels"], rows, columns
        self.places = shape[1] * shape[2]
        self.pool = MaxPool(shape, entry["pool"]) if "pool" in entry else None
        self.fft = bool(self.conv) and m.variation.convolution == "fft"

    def image(self, P):
        """P as padded images."""
        image = P.reshape(len(P), *self.shape_in)
        return np.pad(image, [(0, 0)] * 2 + [(self.padding,) * 2] * 2)

    def patches(self, P):
        """What the kernel reads at every place: (B, places, terms)."""
        if not self.conv:
            return P[:, None, :]
        image, k = self.image(P), self.kernel
        windows = np.lib.stride_tricks.sliding_window_view(image, (k, k), axis=(2, 3))[
            :, :, :: self.stride, :: self.stride
        ]
        axes = (0, 2, 3, 4, 5, 1) if self.m.variation.convolution == "places" else (0, 2, 3, 1, 4, 5)
        return windows.transpose(axes).reshape(len(P), self.places, -1)

    def rows(self, W):
        """W as a matrix, in the order of the patches."""
        if self.conv and self.m.variation.convolution == "places":
            W = np.moveaxis(W, 1, -1)
        return W.reshape(len(W), -1)

    def spread(self, x):
        """One value per row of W, as (rows, places)."""
        return np.broadcast_to(x[:, None], (len(x), self.places))

    def drive(self, W, P, start=None):
        """W P, or start + W P, with one start per row of W: (B, n)."""
        if self.fft:
            U = self.by_fft(W, P)
            return U if start is None else self.m.add(U, self.spread(start).ravel())
        rows, patches = self.rows(W)[None, :, None, :], self.patches(P)[:, None, :, :]
        return self.m.dot(rows, patches, start=None if start is None else start[:, None]).reshape(len(P), -1)

    def by_fft(self, W, P):
        """W P by Fourier transforms."""
        full = self.m.correlated(self.padded(P)[:, None], W[None]).sum(axis=2)
        _, rows, columns = self.sides(W)
        s = self.stride
        return self.m.fit(full[..., : rows * s : s, : columns * s : s].reshape(len(P), -1))

    def sides(self, W):
        """(channels, rows, columns) of the output."""
        rows, columns = ((n + 2 * self.padding - self.kernel) // self.stride + 1 for n in self.shape_in[1:])
        return len(W), rows, columns

    def padded(self, P):
        """Images with room for the whole kernel."""
        return np.pad(self.image(P), [(0, 0)] * 2 + [(0, self.kernel)] * 2)

    def gradient(self, W, delta, P, order):
        """dW = sum of delta P over the batch and the places, and db = sum of delta."""
        d = delta.reshape(len(delta), len(W), self.places).swapaxes(0, 1).reshape(len(W), -1)  # (rows, B places)
        db = self.m.sum(d, order)
        if self.fft:
            return self.gradient_by_fft(W, delta, P), db
        patches = self.patches(P).reshape(d.shape[1], -1)
        dW = self.m.dot(d[:, None, :], patches.T[None], order)
        if self.conv and self.m.variation.convolution == "places":
            return np.moveaxis(dW.reshape(len(W), self.kernel, self.kernel, -1), -1, 1), db
        return dW.reshape(W.shape), db

    def gradient_by_fft(self, W, delta, P):
        """dW by Fourier transforms: the correlation of the images with delta, spread by the stride."""
        image, (channels, rows, columns), s = self.padded(P), self.sides(W), self.stride
        dilated = np.zeros((len(P), channels, *image.shape[2:]))
        dilated[:, :, : rows * s : s, : columns * s : s] = delta.reshape(len(P), channels, rows, columns)
        full = self.m.correlated(image[:, None], dilated[:, :, None])
        return self.m.fit(full[..., : self.kernel, : self.kernel].astype(self.m.kind).sum(axis=0))

    def winners(self, U, key):
        """The winner of every window: the first of the largest keys; in one variation the last of those."""
        assert self.pool is not None
        windows = self.pool.windows()
        keys = key[:, windows]
        best = keys.argmax(axis=-1)
        if self.m.variation.ties == "last":
            last = keys.shape[-1] - 1 - keys[..., ::-1].argmax(axis=-1)
            chosen = np.take_along_axis(U[:, windows], last[..., None], axis=-1)
            best = (U[:, windows] == chosen).argmax(axis=-1)  # equal potentials: the first
            best = np.where(np.take_along_axis(keys, best[..., None], -1)[..., 0] == keys.max(axis=-1), best, last)
        return windows[np.arange(len(windows)), best]
