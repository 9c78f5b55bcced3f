"""Private helpers: input checks (`check`), array and result files (`npy`, `store`), a progress bar (`progress`)."""

__all__ = ["check", "npy", "progress", "store"]
