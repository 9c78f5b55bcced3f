"""Private helpers: input checks (`check`), array and result files (`npy`, `store`), the reader of files (`reading`), a
progress bar (`progress`), a user's code (`user_code`), and the comparisons that decide (`verdict`)."""

__all__ = ["check", "npy", "progress", "reading", "store", "user_code", "verdict"]
