"""A progress bar where tqdm is installed, and nothing where it is not."""

from typing import Any


class Progress:
    """A tqdm bar if tqdm is installed and not `quiet`, else nothing.

    total: how many units there are to do, None if unknown; already_done: how many of them an earlier run did;
    unit_scale: show large numbers as 9.91M instead of 9912422.
    """

    def __init__(
        self,
        description: str,
        total: int | None,
        already_done: int = 0,
        quiet: bool = False,
        unit: str = "epoch",
        unit_scale: bool = False,
    ) -> None:
        self._bar: Any = None
        if not quiet:
            try:
                from tqdm import tqdm
            except ImportError:
                return
            options: dict[str, Any] = {"unit": unit, "unit_scale": unit_scale, "dynamic_ncols": True}
            self._bar = tqdm(total=total, initial=already_done, desc=description, **options)

    def advance(self, status: str, by: int = 1) -> None:
        """Go `by` units further and show `status` behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(status, refresh=False)
            self._bar.update(by)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
