import type Mpegts from "mpegts.js"
import type { StartTransport, Transport, TransportFailure, TransportHooks } from "./types"

let library: Promise<typeof Mpegts> | null = null

export function loadFlv(): Promise<typeof Mpegts> {
  library ??= import("mpegts.js").then((module) => {
    module.default.LoggingControl.enableAll = false
    return module.default
  })
  return library
}

/** HTTP-FLV through Media Source Extensions. */
export async function flvStarter(): Promise<StartTransport | null> {
  const mpegts = await loadFlv()
  if (!mpegts.isSupported()) return null
  return (video: HTMLVideoElement, url: string, hooks: TransportHooks): Transport => {
    const player = mpegts.createPlayer(
      { type: "flv", url, isLive: true, hasAudio: false, cors: true, withCredentials: false },
      {
        enableWorker: false,
        enableStashBuffer: false,
        lazyLoad: false,
        autoCleanupSourceBuffer: true,
        autoCleanupMaxBackwardDuration: 12,
        autoCleanupMinBackwardDuration: 6,
        liveBufferLatencyChasing: true,
        liveBufferLatencyMaxLatency: 1.6,
        liveBufferLatencyMinRemain: 0.3,
        fixAudioTimestampGap: false,
      },
    )
    let bitrate = 0
    let stopped = false
    player.on(mpegts.Events.STATISTICS_INFO, (info: { speed?: number }) => {
      // Kilobytes per second.
      bitrate = (info.speed ?? 0) * 8192
    })
    player.on(mpegts.Events.MEDIA_INFO, (info: { videoCodec?: string }) => {
      if (info.videoCodec) hooks.onCodec(info.videoCodec)
      hooks.onData()
    })
    // The library goes on working in the call that tells of the failure; destroyed inside it, it would stumble.
    const fail = (failure: TransportFailure): void => {
      setTimeout(() => {
        if (!stopped) hooks.onFailure(failure)
      })
    }
    player.on(mpegts.Events.LOADING_COMPLETE, () => {
      fail({ kind: "closed" })
    })
    player.on(mpegts.Events.ERROR, (type: string, detail: string, info?: { code?: number; msg?: string }) => {
      if (stopped) return
      if (type === mpegts.ErrorTypes.NETWORK_ERROR) {
        fail({ kind: "closed", detail, ...(info?.code === undefined ? {} : { status: info.code }) })
      } else {
        const text = `${detail} ${info?.msg ?? ""}`
        const codec = detail === mpegts.ErrorDetails.MEDIA_CODEC_UNSUPPORTED || /addSourceBuffer|unsupported/i.test(text)
        fail({ kind: codec ? "codec" : "media", detail: text.trim() })
      }
    })
    player.attachMediaElement(video)
    player.load()
    return {
      name: "flv",
      bitrate: () => bitrate,
      stop: () => {
        stopped = true
        player.destroy()
      },
    }
  }
}
