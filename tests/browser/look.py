"""Open pages of the site in a headless Chromium that can reach nothing but this machine.

    python -m tests.browser.look SITE FOLDER PAGE...

prints one line of JSON for each page: the severe messages of the console, the requests to other machines, the formulas
that MathJax set, its errors, and the results if the page searches.  FOLDER gets a picture of each page, wide and
narrow, light and dark.
"""

import functools
import json
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.browser.chromium import READY, Quiet, browser, fresh_tab, wait

SETTLE = 2  # seconds for what is asked for last
VIEWS = {"wide": (1400, 1000), "narrow": (390, 844)}
COMPLETE = """
const has = selector => Boolean(document.querySelector(selector));
if (location.search.startsWith('?q=')) return has('.md-search-result__item');
return document.readyState === 'complete' && (has('mjx-container') || !has('.arithmatex, .jp-RenderedMarkdown'));
"""
COUNTS = """
const count = selector => document.querySelectorAll(selector).length;
return {
  set: count('mjx-container'), wrong: count('mjx-merror, [data-mjx-error]'),
  formulas: count('.arithmatex'), found: count('.md-search-result__item'), pictures: count('img'),
  missing: [...document.images].filter(image => image.complete && !image.naturalWidth).length,
  wider: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
};
"""


def view(driver: Any, size: str, scheme: str) -> None:
    """Give the window a size and the colours that the reader prefers."""
    width, height = VIEWS[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "narrow"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def outside(driver: Any, address: str) -> list[str]:
    """The addresses on other machines that the browser asked for since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith((address, "data:", "blob:", "chrome:"))]


def look(driver: Any, address: str, page: str, folder: Path) -> dict[str, Any]:
    """Open one page in every view, and report what went wrong in any of them."""
    console: list[str] = []
    requests: list[str] = []
    for size in VIEWS:
        for scheme in ("light", "dark"):
            fresh_tab(driver)
            driver.get(f"{address}/lite/index.html")
            driver.execute_script("localStorage.clear()")  # the last choice of colours
            view(driver, size, scheme)
            driver.get(f"{address}/{page}")
            wait(lambda: driver.execute_script(READY if "/lab/" in page else COMPLETE), 120)
            time.sleep(SETTLE)
            console += [entry["message"] for entry in driver.get_log("browser")]
            requests += outside(driver, address)
            name = page.partition("?")[0].removesuffix(".html").replace("/", "_")
            driver.save_screenshot(str(folder / f"{name}_{size}_{scheme}.png"))
    return {"page": page, "console": console, "outside": requests, **driver.execute_script(COUNTS)}


def main(site: Path, folder: Path, names: list[str]) -> None:
    """Serve the site on this machine and open the pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = browser()
    try:
        for name in names:
            print(json.dumps(look(driver, f"http://127.0.0.1:{server.server_port}", name, folder)), flush=True)
    finally:
        driver.quit()
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
