"""A progress bar where tqdm is installed, and nothing where it is not."""

from typing import Any


class Progress:
    """A tqdm bar where tqdm is installed, else nothing.

    total: what is to be done, None if unknown; scale: large amounts are shown as 9.91M instead of 9912422.
    """

    def __init__(
        self,
        description: str,
        total: int | None,
        done: int = 0,
        quiet: bool = False,
        unit: str = "epoch",
        scale: bool = False,
    ) -> None:
        self._bar: Any = None
        if not quiet:
            try:
                from tqdm import tqdm
            except ImportError:
                return
            self._bar = tqdm(
                total=total, initial=done, desc=description, unit=unit, unit_scale=scale, dynamic_ncols=True
            )

    def advance(self, text: str, by: int = 1) -> None:
        """Go `by` units further; `text` stands behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(by)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
