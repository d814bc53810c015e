"""How many 1080p streams at 2 Mbit/s one core carries through a media worker, and how fast a viewer joins.

Method: one worker process pinned to the first core; cameras (paced RTP over UDP on loopback, a frame's packets spread
over 15 ms) and viewers (one HTTP-FLV connection per stream) in other processes pinned to the last core. CPU is the
worker's own user and system time over a window after everything has settled. The interrupt cost of a real network card
is not in it. Streams per core are EXTRAPOLATED from CPU per stream, at 70 % of a core; a run counts only without loss.
The baseline (bench/_media_floor.py) is the worker's event loop that receives the same datagrams from the same sender and
writes them to the same viewers without looking at them.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import av
import numpy as np
from _figures import Baseline, Figure, quantile, report

from gongshi.kit.clock import now
from gongshi.media.embedded import EmbeddedEngine, EmbeddedSettings
from gongshi.protocols.ps import PsMuxer

WINDOW = 6.0
SETTLE = 4.0
LOAD = Path(__file__).with_name("_media_load.py")
FLOOR = Path(__file__).with_name("_media_floor.py")


def make_clip(path: Path, seconds: int = 4) -> float:
    """A noisy moving 1080p25 scene at about 2 Mbit/s, GOP 50, as PS frames; the bit rate reached."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 1920, 1080, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.gop_size, context.bit_rate = 50, 1_950_000
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": "nal-hrd=cbr:vbv-maxrate=1950:vbv-bufsize=3900:keyint=50:scenecut=0",
    }
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 24, (1080 * 3 // 2, 1920), dtype=np.uint8)
    base = np.full((1080 * 3 // 2, 1920), 100, dtype=np.uint8)
    base[:1080] = (np.arange(1920) // 16 * 3 % 120 + 40).astype(np.uint8)
    muxer = PsMuxer("h264", "g711a")
    lines: list[str] = []
    size = 0
    for index in range(25 * seconds):
        picture = np.roll(base, index * 4, axis=1)
        picture[:1080] += np.roll(noise[:1080], index * 37, axis=0)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = index
        for packet in context.encode(frame):
            pack = muxer.frame(bytes(packet), index * 3600, packet.is_keyframe)
            pack += muxer.audio_frame(bytes(320), index * 3600)
            size += len(pack)
            lines.append(pack.hex())
    path.write_text("\n".join(lines))
    return size * 8 / seconds / 1e6


async def load(kind: str, job: dict[str, object]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(sys.executable, str(LOAD), kind, stdin=-1, stdout=-1)
    assert process.stdin is not None
    process.stdin.write(json.dumps(job).encode() + b"\n")
    return process


async def result(process: asyncio.subprocess.Process) -> dict[str, object]:
    out, _ = await process.communicate()
    return json.loads(out)


async def run(directory: Path, clip: Path, streams: int, *, viewers: bool) -> tuple[float | None, list[float]]:
    settings = EmbeddedSettings(run=directory, host="127.0.0.1", rtp_first=42_000, rtp_last=44_999, no_reader=60)
    engine = EmbeddedEngine(settings)
    await engine.start()
    pid = (await engine.stats()).workers[0].pid
    assert pid is not None
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})
    try:
        receivers = [await engine.open_receiver(f"s{i}", "udp", i + 1) for i in range(streams)]
        seconds = SETTLE + WINDOW + 3
        sender = await load("send", {"ports": [r.port for r in receivers], "clip": str(clip), "seconds": seconds})
        await asyncio.sleep(SETTLE - 1)
        watching = None
        if viewers:
            urls: list[tuple[str, int, str]] = []
            lease = now() + timedelta(seconds=15)
            await asyncio.gather(*(engine.admit(f"v{i}", f"s{i}", None, lease) for i in range(streams)))
            for i in range(streams):
                parts = urlsplit(engine.urls(f"v{i}", f"s{i}").flv or "")
                urls.append((str(parts.hostname), int(parts.port or 0), f"{parts.path}?{parts.query}"))
            watching = await load("watch", {"urls": urls, "seconds": WINDOW + 3})
        await asyncio.sleep(1.5)
        earlier = await engine.stats()
        before = earlier.workers[0]
        await asyncio.sleep(WINDOW)
        stats = await engine.stats()
        after = stats.workers[0]
        watched = await result(watching) if watching is not None else {}
        sent = await result(sender)
        cpu = (after.cpu_seconds - before.cpu_seconds) / WINDOW * 100
        lost = sum(s.lost for s in stats.streams)
        online = sum(s.online for s in stats.streams)
        print(
            f"  {streams:4d} streams, {streams if viewers else 0:4d} viewers: "
            f"CPU {cpu:5.1f} % of one core = {cpu / streams:.3f} %/stream; online {online}, lost packets {lost}, "
            f"tick lag worst {after.lag_ms:.1f} ms, RSS {after.rss / 2**20:.0f} MB "
            f"(sender's worst lag {sent['worst_lag_ms']} ms)",
            flush=True,
        )
        received = sum(s.packets for s in stats.streams) - sum(s.packets for s in earlier.streams)
        frames = sum(s.frames for s in stats.streams) - sum(s.frames for s in earlier.streams)
        print(f"       {received / WINDOW:,.0f} packets/s, {frames / WINDOW / streams:.1f} pictures/s per stream")
        if lost or online < streams or frames < 0.95 * 25 * WINDOW * streams:
            print("  (not clean: the machine was busy, or the worker too slow; not used for the extrapolation)")
            return None, []
        return cpu / streams, [float(t) for t in watched.get("joined", [])]  # pyright: ignore[reportGeneralTypeIssues] -- our own JSON
    finally:
        await engine.close()


def busy(pid: int) -> float:
    """Processor seconds of a process's first thread so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


async def floor(clip: Path, streams: int) -> float:
    """Per cent of a core and stream that moving the bytes costs, with a viewer each."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(FLOOR), str(streams), stdin=-1, stdout=-1)
    assert process.stdout is not None
    doors = json.loads(await process.stdout.readline())
    sender = await load("send", {"ports": doors["ports"], "clip": str(clip), "seconds": SETTLE + WINDOW + 3})
    await asyncio.sleep(SETTLE - 1)
    urls = [("127.0.0.1", doors["http"], f"/{i}") for i in range(streams)]
    watching = await load("watch", {"urls": urls, "seconds": WINDOW + 3})
    await asyncio.sleep(1.5)
    before = busy(process.pid)
    await asyncio.sleep(WINDOW)
    share = (busy(process.pid) - before) / WINDOW * 100 / streams
    sent, watched = await result(sender), await result(watching)
    if process.stdin is not None:
        process.stdin.close()
    received = await result(process)
    print(
        f"  {streams:4d} streams, {watched['viewers']:4d} viewers: {share:.3f} %/stream for moving the bytes alone; "
        f"{received['packets']} of {sent['packets']} packets",
        flush=True,
    )
    return share


async def main() -> int:
    print(__doc__)
    with tempfile.TemporaryDirectory(prefix="gs") as name:
        directory = Path(name)
        clip = directory / "clip.txt"
        print(f"clip: 1080p25 H.264 + G.711A, {make_clip(clip):.2f} Mbit/s\n")
        shares: list[float] = []
        joins: list[float] = []
        for streams, viewers in ((100, False), (100, True), (200, True)):
            share, joined = await run(directory, clip, streams, viewers=viewers)
            if viewers and share is not None:
                shares.append(share)
                joins += joined
        least = await floor(clip, 200)
    if not shares:
        print("\nno clean run")
        return 1
    worst = max(shares)
    print(f"\nstreams per core with one viewer each, extrapolated at 70 % of a core: {70 / worst:.0f}")
    ordered = sorted(joins)
    print(
        f"viewer joins a running stream, connect to first picture bytes, {len(ordered)} viewers joining one after the "
        f"other: median {statistics.median(ordered):.1f} ms, p95 {quantile(ordered, 0.95):.1f} ms"
    )
    alone = Baseline("同一事件循环只搬运字节", "the same loop moving the bytes alone", 70 / least)
    report(
        [
            Figure(
                "media.streams",
                "一个核承载的 2 Mbit/s 码流数（各有一名观看者，按 70% 占用外推）",
                "Streams of 2 Mbit/s with a viewer each that one core carries (extrapolated at 70 %)",
                70 / worst,
                "",
                alone,
            ),
            Figure(
                "media.join.median",
                "观看者接入已有码流到首个画面字节，中位数",
                "Viewer joins a running stream, to first picture bytes, median",
                statistics.median(ordered),
                "ms",
                headline=False,
            ),
            Figure(
                "media.join.p95",
                "观看者接入已有码流到首个画面字节，P95",
                "Viewer joins a running stream, to first picture bytes, p95",
                quantile(ordered, 0.95),
                "ms",
                headline=False,
            ),
        ]
    )
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
