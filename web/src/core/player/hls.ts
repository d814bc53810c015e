import type { StartTransport, Transport, TransportHooks } from "./types"

/** HLS for what cannot take the others: hls.js where Media Source Extensions exist, else the browser itself. */
export async function hlsStarter(): Promise<StartTransport | null> {
  const { default: Hls } = await import("hls.js")
  if (!Hls.isSupported()) {
    if (document.createElement("video").canPlayType("application/vnd.apple.mpegurl") === "") return null
    return native
  }
  return (video: HTMLVideoElement, url: string, hooks: TransportHooks): Transport => {
    const hls = new Hls({ lowLatencyMode: true, liveSyncDurationCount: 2, enableWorker: false })
    let received = 0
    hls.on(Hls.Events.FRAG_LOADED, (_, data) => {
      received += data.frag.stats.loaded
      hooks.onData()
    })
    hls.on(Hls.Events.BUFFER_CODECS, (_, data) => {
      if (data.video?.codec) hooks.onCodec(data.video.codec)
    })
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return
      const codec = /codec|incompatible/i.test(data.details)
      const network = data.type === Hls.ErrorTypes.NETWORK_ERROR
      hooks.onFailure({
        kind: network ? "closed" : codec ? "codec" : "media",
        detail: data.details,
        ...(data.response?.code === undefined ? {} : { status: data.response.code }),
      })
    })
    hls.loadSource(url)
    hls.attachMedia(video)
    return { name: "hls", bytes: () => received, stop: () => { hls.destroy() } }
  }
}

const native: StartTransport = (video, url, hooks) => {
  const onData = (): void => { hooks.onData() }
  const onError = (): void => { hooks.onFailure({ kind: "closed", detail: "native" }) }
  video.addEventListener("loadedmetadata", onData)
  video.addEventListener("error", onError)
  video.src = url
  return {
    name: "hls",
    stop: () => {
      video.removeEventListener("loadedmetadata", onData)
      video.removeEventListener("error", onError)
    },
  }
}
