"""A headless Chromium that tests drive, and the addresses that its page asked for."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
DEADLINE_SECONDS = 120
AXE = Path(os.environ.get("FRAMESIFT_AXE", "no axe"))
"""The script of axe-core, which finds barriers of a page; `make test-play` has it."""
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--remote-debugging-pipe", "--mute-audio"),
)


class Tab:
    """One page, driven by the DevTools protocol over two pipes."""

    def __init__(self, writing, reading):
        self._writing, self._reading = writing, reading
        self._number, self._session, self.asked_for = 0, None, []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self._call(f"{domain}.enable")

    def _call(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._writing.write(json.dumps(message).encode() + b"\0")
        self._writing.flush()
        while True:
            reply = json.loads(self._message())
            if reply.get("method") == "Network.requestWillBeSent":
                self.asked_for.append(reply["params"]["request"]["url"])
            if reply.get("id") == self._number:
                assert "error" not in reply, reply
                return reply["result"]

    def _message(self):
        letters = bytearray()
        while (byte := self._reading.read(1)) != b"\0":
            assert byte, "the browser has ended"
            letters += byte
        return bytes(letters)

    def open(self, address):
        self._call("Page.navigate", url=address)

    def js(self, expression):
        """Returns what an expression of JavaScript is worth."""
        given = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        reply = self._call("Runtime.evaluate", userGesture=True, **given)
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    def wait(self, expression):
        """Returns what an expression is worth once that is true."""
        end = time.monotonic() + DEADLINE_SECONDS
        while not (value := self.js(expression)):
            assert time.monotonic() < end, f"never came: {expression}"
            time.sleep(0.1)
        return value

    def type(self, selector, text):
        place = f"document.querySelector({json.dumps(selector)})"
        prototype = f"Object.getPrototypeOf({place})"
        setter = f"Object.getOwnPropertyDescriptor({prototype}, 'value').set"
        self.js(
            f"{setter}.call({place}, {json.dumps(text)}); "
            f"{place}.dispatchEvent(new Event('input', {{bubbles: true}}))"
        )

    def click(self, selector):
        self.js(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, key):
        """Presses and lets go a key of the keyboard, by its name."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        codes |= {"ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}
        given = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self._call("Input.dispatchKeyEvent", type="keyDown", **given, **text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **given)

    def resize(self, width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def give_file(self, selector, path):
        root = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def scheme(self, name):
        """Shows the page as to who prefers a `"light"` or a `"dark"` one."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def media(self, kind):
        """Shows the page as on a `"screen"`, or as it is printed."""
        self._call("Emulation.setEmulatedMedia", media=kind)

    def barriers(self):
        """Returns what axe finds that keeps people from using the page, once nothing moves."""
        self.wait("document.getAnimations().every((each) => each.playState != 'running')")
        self.js(f"{AXE.read_text(encoding='utf-8')}; 0")
        found = self.js("axe.run().then((done) => JSON.stringify(done.violations))")
        return [
            (each["id"], node["html"], node["failureSummary"])
            for each in json.loads(found)
            for node in each["nodes"]
        ]

    def picture(self, path):
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def tab(folder, size="1280,1600"):
    """Yields a page of a browser of its own, whose profile lies in `folder`."""
    to_read, writing = os.pipe()
    reading, to_write = os.pipe()
    options = (*QUIET, f"--user-data-dir={folder}", f"--window-size={size}")
    pipes = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
    process = subprocess.Popen(
        ["bash", "-c", pipes, CHROMIUM, *options],
        pass_fds=(to_read, to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    with os.fdopen(writing, "wb") as sent, os.fdopen(reading, "rb") as received:
        try:
            yield Tab(sent, received)
        finally:
            process.kill()
            process.wait()
