"""Private helpers: input checks (`check`), array and result files (`npy`, `store`), a progress bar (`progress`), and the
comparisons that decide (`verdict`)."""

__all__ = ["check", "npy", "progress", "store", "verdict"]
