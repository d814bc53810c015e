"""From a click to a picture, and from a revocation to its end, on a whole demonstration.

    python bench/open_camera.py [OPENINGS] [REVOCATIONS]

Method: one `gongshi demo` (real SIP, RTP and PostgreSQL, simulated cameras). An opening is the POST of the session, the
connection to the address it answers with, and the reading until one whole key frame with its parameter sets is there;
the first of them is decoded to prove it. Cold: nobody watches, the device must be called. Joined: somebody watches
already. Streams linger for one second here instead of fifteen, so that cold openings need not wait. A revocation runs
from the POST that revokes to the last byte that its viewer receives. The simulated camera sends a key frame when called
and every two seconds; each is opened once before, because a simulated one draws its pictures when first asked. The
baseline of an opening is GET /api/v1/me: what one call to this API costs at least.
"""

import io
import socket
import statistics
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import av
import httpx
from _demo import Demo, checked
from _figures import Baseline, Figure, quantile, report
from av.error import FFmpegError

CHINA = timezone(timedelta(hours=8))
LINGER = 1.0


class Viewer(threading.Thread):
    """Reads an HTTP-FLV address; `first` is when a whole key frame was there, `last` when the last byte came."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.received = bytearray()
        self.first = self.last = 0.0
        self.shown = threading.Event()
        self._url = url
        self._left = False
        self._at = 0
        """Where the next tag begins, once the header was there."""
        self.start()

    def run(self) -> None:
        parts = urlsplit(self._url)
        with socket.create_connection((parts.hostname or "", parts.port or 80), 10) as connection:
            # 1.0, so that the body comes without chunks.
            head = f"GET {parts.path}?{parts.query} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n"
            connection.sendall(head.encode())
            try:
                while not self._left and (data := connection.recv(1 << 16)):
                    now = time.monotonic()
                    self.last = now
                    self.received += data
                    if not self.first and self._key_frame():
                        self.first = now
                        self.shown.set()
            except OSError:
                pass

    def leave(self) -> None:
        """Stop watching."""
        self._left = True
        self.join(5)

    @property
    def body(self) -> bytes:
        """What came after the answer's head."""
        return bytes(self.received).partition(b"\r\n\r\n")[2]

    def _key_frame(self) -> bool:
        if not self._at:
            start = self.received.find(b"\r\n\r\nFLV")
            if start < 0:
                return False
            self._at = start + 4 + 9 + 4
        while len(self.received) >= self._at + 12:
            size = int.from_bytes(self.received[self._at + 1 : self._at + 4], "big")
            end = self._at + 11 + size + 4
            kind, first, second = (self.received[self._at + offset] for offset in (0, 11, 12))
            if len(self.received) < end:
                return False
            self._at = end
            # A video tag with a key frame's flag that carries coded pictures, not the decoder's configuration: of the
            # classic kind (packet type 1) or of the enhanced kind (bit 7 set; coded frames are types 1 and 3).
            enhanced = first & 0x80
            if kind == 9 and (first >> 4) & 7 == 1 and ((first & 15) in {1, 3} if enhanced else second == 1):
                return True
        return False


def decodes(content: bytes) -> bool:
    """Whether at least one picture comes out."""
    try:
        with av.open(io.BytesIO(content), mode="r", format="flv") as container:
            return next(container.decode(video=0), None) is not None
    except FFmpegError:
        return False


def live(client: httpx.Client, code: str) -> tuple[dict[str, Any], Viewer, float]:
    """Open a camera; the session, its viewer and the seconds to the first picture."""
    begun = time.monotonic()
    session = checked(client.post(f"/cameras/{code}/sessions", json={"action": "live", "reason": "bench"}))
    viewer = Viewer(session["urls"]["flv"])
    if not viewer.shown.wait(20):
        state = client.get(f"/sessions/{session['id']}").text
        raise SystemExit(f"no picture of {code} within 20 s; session {state}")
    return session, viewer, viewer.first - begun


def close(client: httpx.Client, session: dict[str, Any], viewer: Viewer) -> None:
    checked(client.delete(f"/sessions/{session['id']}"))
    viewer.leave()


def warm(client: httpx.Client, codes: list[str]) -> float:
    """Open every camera once, so that simulated ones have drawn their first pictures; seconds of the first."""
    times: list[float] = []
    for code in codes:
        session, viewer, seconds = live(client, code)
        close(client, session, viewer)
        times.append(seconds)
    time.sleep(LINGER + 1.5)
    return times[0]


def openings(client: httpx.Client, codes: list[str], count: int) -> tuple[list[float], list[float]]:
    """Half of them cold, each joined by a second viewer afterwards."""
    cold: list[float] = []
    joined: list[float] = []
    ended = dict.fromkeys(codes, 0.0)
    for number in range(count // 2):
        code = codes[number % len(codes)]
        # The stream of this camera's last round must be gone, and the device told so.
        time.sleep(max(0.0, ended[code] + LINGER + 1.5 - time.monotonic()))
        session, viewer, seconds = live(client, code)
        cold.append(seconds)
        second, other, seconds = live(client, code)
        joined.append(seconds)
        if number == 0:
            time.sleep(1)
            if not (decodes(viewer.body) and decodes(other.body)):
                raise SystemExit("what was received does not decode")
        close(client, second, other)
        close(client, session, viewer)
        ended[code] = time.monotonic()
    return cold, joined


def granted(asking: httpx.Client, consulted: httpx.Client, deciding: httpx.Client, code: str) -> int:
    """A grant for one camera, by the whole process; its id."""
    now = datetime.now(CHINA)
    wanted = {
        "cameras": [code],
        "actions": ["live"],
        "purpose": "防汛值守",
        "legal_basis": "《突发事件应对法》",
        "valid_from": now.isoformat(),
        "valid_to": (now + timedelta(days=1)).isoformat(),
        "delivery": ["portal"],
    }
    number = checked(asking.post("/share-requests", json=wanted))["id"]
    checked(asking.post(f"/share-requests/{number}/submit"))
    consent = {"stage": "consult", "outcome": "agreed", "items": [], "comment": "同意"}
    checked(consulted.post(f"/share-requests/{number}/decisions", json=consent))
    approval = {"stage": "approve", "items": [{"camera": code, "outcome": "approved"}], "comment": "同意"}
    checked(deciding.post(f"/share-requests/{number}/decisions", json=approval))
    return next(g["id"] for g in checked(asking.get("/grants", params={"state": "in_force"}))["items"])


def revocations(demo: Demo, codes: list[str], count: int) -> list[float]:
    asking, consulted, deciding = demo.client("yingji"), demo.client("shuju"), demo.client("jingcha")
    waits: list[float] = []
    for number in range(count):
        code = codes[number % len(codes)]
        grant = granted(asking, consulted, deciding, code)
        _, viewer, _ = live(asking, code)
        begun = time.monotonic()
        checked(deciding.post(f"/grants/{grant}/revoke", json={"reason": "bench"}))
        viewer.join(20)
        if viewer.is_alive():
            raise SystemExit("a revoked picture ran on for 20 s")
        waits.append(max(0.0, viewer.last - begun))
    return waits


def logins(demo: Demo, codes: list[str], count: int) -> list[float]:
    """From the request to log in to the picture of a camera nobody watches."""
    waits: list[float] = []
    for number in range(count):
        with httpx.Client(base_url=f"{demo.ready['url']}/api/v1", timeout=60) as client:
            begun = time.monotonic()
            demo.log_in(client, "jingcha")
            session, viewer, _ = live(client, codes[number % len(codes)])
            waits.append(viewer.first - begun)
            close(client, session, viewer)
    return waits


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    cuts = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with Demo({"GONGSHI_MEDIA__LINGER_SECONDS": str(LINGER)}) as demo:
        demo.start()
        codes = [camera["code"] for camera in demo.ready["cameras"]]
        police = demo.client("jingcha")
        plain: list[float] = []
        for _ in range(50):
            begun = time.monotonic()
            checked(police.get("/me"))
            plain.append(time.monotonic() - begun)
        first = warm(police, codes)
        whole = logins(demo, codes, 5)
        cold, joined = openings(police, codes, count)
        cut = revocations(demo, codes, cuts)
    base = Baseline("GET /api/v1/me 一次", "one GET /api/v1/me", statistics.median(plain) * 1000)
    print(f"the very first opening after the start: {first:.2f} s; one GET /me: {base.value:.1f} ms")
    middle = statistics.median(whole) * 1000
    print(f"login to picture ({len(whole)}): median {middle:.0f} ms")
    named = f"Login request to first picture, device called, median of {len(whole)}"
    figures = [Figure("login", "登录请求到首个画面（需呼叫设备），中位数", named, middle, "ms", base)]
    for key, zh, en, times in (
        ("open.all", "点开到首个画面（全部）", "Opening to first picture, all", cold + joined),
        ("open.cold", "点开到首个画面（需呼叫设备）", "Opening to first picture, device called", cold),
        ("open.joined", "点开到首个画面（加入已有码流）", "Opening to first picture, stream joined", joined),
        ("revoke", "撤销到最后一个字节", "Revocation to last byte", cut),
    ):
        middle, high = statistics.median(times) * 1000, quantile(times, 0.95) * 1000
        print(f"{en} ({len(times)}): median {middle:.0f} ms, p95 {high:.0f} ms, worst {max(times) * 1000:.0f} ms")
        compared = base if key != "revoke" else None
        figures += [
            Figure(f"{key}.median", f"{zh}，中位数", f"{en}, median of {len(times)}", middle, "ms", compared),
            Figure(f"{key}.p95", f"{zh}，P95", f"{en}, p95", high, "ms", compared),
        ]
    report(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
