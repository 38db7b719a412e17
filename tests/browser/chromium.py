"""A page in headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
# Nothing of the browser's own may reach the network: the tests count requests.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-port=0",
)
STARTUP_S = 60.0
ANSWER_S = 30.0


def executable() -> str | None:
    return next((found for name in EXECUTABLES if (found := shutil.which(name))), None)


@dataclass
class Page:
    """One tab. The protocol's answers are JSON, hence `Any`."""

    socket: aiohttp.ClientWebSocketResponse
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _number: int = 0
    _loaded: bool = False

    async def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        await self.socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_S):
            while True:
                message = await self.socket.receive_json()
                if message.get("id") == self._number:
                    assert "error" not in message, message
                    return message["result"]
                self._note(message)

    async def start(self) -> None:
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            await self.call(f"{domain}.enable")

    async def open(self, url: str) -> None:
        self._loaded = False
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(ANSWER_S):
            while not self._loaded:
                self._note(await self.socket.receive_json())

    async def evaluate(self, expression: str) -> Any:
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def resize(self, width: int, height: int = 900) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(params))
            case "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue":
                self.complaints.append(json.dumps(params))
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])


@asynccontextmanager
async def open_browser(program: str, profile: Path) -> AsyncIterator[Page]:
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        port = await _port(process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tabs = await answer.json()
            address = next(t["webSocketDebuggerUrl"] for t in tabs if t["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                await page.start()
                yield page
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr
    async with asyncio.timeout(STARTUP_S):
        async for line in process.stderr:
            text = line.decode(errors="replace")
            if "DevTools listening on" in text:
                return int(text.split("://")[1].split("/")[0].rsplit(":", 1)[1])
    raise AssertionError("Chromium ended before it listened")
