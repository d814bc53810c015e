import { mp4Codecs } from "./mp4"
import type { StartTransport, Transport, TransportHooks } from "./types"

const KEEP_SECONDS = 12
const LATEST_SECONDS = 2.5

/** Fragmented MP4 read by `fetch` and handed to Media Source Extensions. */
export function fmp4Starter(): StartTransport | null {
  if (!("MediaSource" in globalThis)) return null
  return (video, url, hooks): Transport => {
    const feed = new Feed(video, url, hooks)
    feed.start()
    return { name: "fmp4", bytes: () => feed.received, stop: () => { feed.stop() } }
  }
}

class Feed {
  received = 0
  private readonly source = new MediaSource()
  private readonly abort = new AbortController()
  private readonly address: string
  private readonly queue: Uint8Array[] = []
  private head: Uint8Array | null = new Uint8Array(0)
  private buffer: SourceBuffer | null = null
  private stopped = false

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    private readonly hooks: TransportHooks,
  ) {
    this.address = URL.createObjectURL(this.source)
  }

  start(): void {
    this.source.addEventListener("sourceopen", () => void this.read(), { once: true })
    this.video.src = this.address
  }

  stop(): void {
    this.stopped = true
    this.abort.abort()
    URL.revokeObjectURL(this.address)
  }

  private fail(kind: "closed" | "codec" | "media", detail: string, status?: number): void {
    if (this.stopped) return
    this.stopped = true
    this.abort.abort()
    this.hooks.onFailure({ kind, detail, ...(status === undefined ? {} : { status }) })
  }

  private async read(): Promise<void> {
    try {
      const response = await fetch(this.url, { signal: this.abort.signal, credentials: "omit" })
      if (!response.ok || response.body === null) {
        this.fail("closed", "http", response.status)
        return
      }
      const reader = response.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done || this.stopped) break
        this.received += value.length
        this.take(value)
      }
      this.fail("closed", "end")
    } catch {
      this.fail("closed", "network")
    }
  }

  private take(chunk: Uint8Array): void {
    if (this.head !== null) {
      const joined = new Uint8Array(this.head.length + chunk.length)
      joined.set(this.head)
      joined.set(chunk, this.head.length)
      this.head = joined
      const codecs = mp4Codecs(joined)
      if (codecs === null) {
        if (joined.length > 1_000_000) this.fail("media", "no moov")
        return
      }
      this.head = null
      if (!this.prepare(codecs)) return
      this.queue.push(joined)
    } else {
      this.queue.push(chunk)
    }
    this.pump()
  }

  private prepare(codecs: string[]): boolean {
    const type = `video/mp4; codecs="${codecs.join(",")}"`
    this.hooks.onCodec(codecs[0] ?? "")
    if (!MediaSource.isTypeSupported(type)) {
      this.fail("codec", type)
      return false
    }
    try {
      this.buffer = this.source.addSourceBuffer(type)
    } catch {
      this.fail("codec", type)
      return false
    }
    this.buffer.addEventListener("updateend", () => {
      this.follow()
      this.pump()
    })
    this.buffer.addEventListener("error", () => { this.fail("media", "append") })
    this.hooks.onData()
    return true
  }

  /** Stays near the live edge and drops what was shown long ago. */
  private follow(): void {
    const { buffered } = this.video
    if (buffered.length === 0) return
    const end = buffered.end(buffered.length - 1)
    const start = buffered.start(buffered.length - 1)
    if (this.video.currentTime < start || end - this.video.currentTime > LATEST_SECONDS) {
      this.video.currentTime = Math.max(start, end - 0.3)
    }
    const oldest = buffered.start(0)
    if (this.buffer && !this.buffer.updating && end - oldest > KEEP_SECONDS * 2) {
      this.buffer.remove(oldest, end - KEEP_SECONDS)
    }
  }

  private pump(): void {
    if (this.buffer === null || this.buffer.updating || this.stopped) return
    const chunk = this.queue.shift()
    if (chunk === undefined) return
    try {
      this.buffer.appendBuffer(chunk as BufferSource)
    } catch (error) {
      this.fail("media", error instanceof Error ? error.name : "append")
    }
  }
}
