"""Run notebooks of the classroom site in a headless Chromium that can reach nothing but this machine.

    python tests/browser/chromium.py SITE NOTEBOOK...

prints one line of JSON for each notebook: the verdicts that its checks printed, the number of pictures, the errors, and
the severe messages of the browser's console.  Needs selenium, chromium and chromedriver.
"""

import functools
import json
import re
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LIMIT = 500  # seconds for one notebook
SETTLE = 5  # seconds that the page needs after it says that it is ready
ONLY_THIS_MACHINE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
STATES = "pass", "to do", "not yet"
READY = """
const widget = window.jupyterapp?.shell.currentWidget;
return Boolean(widget?.context?.isReady && widget.sessionContext?.isReady && widget.content?.widgets?.length);
"""
START = "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => { window.allCellsRan = true })"
OUTPUTS = """
const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
return [Boolean(window.allCellsRan), cells.flatMap(cell => cell.outputs ? cell.outputs.toJSON() : [])];
"""


class Quiet(SimpleHTTPRequestHandler):
    """A server of static files that writes no log."""

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def browser() -> Any:
    """A headless Chromium whose name look-ups fail for all other machines."""
    from selenium import webdriver  # imported here, because the tests import all files, also where selenium is absent
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", ONLY_THIS_MACHINE):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE", "performance": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def fresh_tab(driver: Any) -> None:
    """Open a tab, and close the one before, which does not ask whether to save."""
    old = driver.current_window_handle
    driver.switch_to.new_window("tab")
    new = driver.current_window_handle
    driver.switch_to.window(old)
    driver.close()
    driver.switch_to.window(new)
    driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})  # JupyterLab waits for it


def wait(condition: Any, seconds: float) -> Any:
    """The first true value of `condition()`; raises TimeoutError after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(1)
    raise TimeoutError


def run(driver: Any, address: str, notebook: str) -> dict[str, Any]:
    """Run all cells of one notebook and summarise the outputs."""
    fresh_tab(driver)
    driver.get(f"{address}/lab/index.html?path={notebook}&reset")
    wait(lambda: driver.execute_script(READY), LIMIT)
    time.sleep(SETTLE)
    driver.execute_script(START)

    def finished() -> Any:
        ran, outputs = driver.execute_script(OUTPUTS)
        return outputs if ran else None

    outputs = wait(finished, LIMIT)
    text = "".join("".join(output.get("text", "")) for output in outputs)
    return {
        "notebook": notebook,
        "verdicts": {state: len(re.findall(rf"^{state}: ", text, re.MULTILINE)) for state in STATES},
        "pictures": sum("image/png" in output.get("data", {}) for output in outputs),
        "errors": [output["evalue"] for output in outputs if output["output_type"] == "error"],
        "console": [entry["message"] for entry in driver.get_log("browser")],
        "text": text[-500:],
    }


def main(site: Path, names: list[str]) -> None:
    """Serve the site on this machine and run the notebooks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = browser()
    try:
        for name in names:
            print(json.dumps(run(driver, f"http://127.0.0.1:{server.server_port}", name)), flush=True)
    finally:
        driver.quit()
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
