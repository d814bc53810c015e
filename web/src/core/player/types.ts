import type { MediaUrls, OpenedSession, SessionState } from "@/core/api/types"

/** How far a picture is. `ended` is an honest end with a reason; `error` is something to repair. */
export type Phase = "idle" | "inviting" | "connecting" | "waiting-key" | "playing" | "reconnecting" | "ended" | "error"

/** What the player needs from the API; the page hands it in. */
export interface PlayerPorts {
  open: () => Promise<OpenedSession>
  /** New addresses for a session that goes on after its connection broke; a used address opens nothing again. */
  fresh: (id: string) => Promise<MediaUrls>
  status: (id: string) => Promise<SessionState>
  close: (id: string) => void
}

export type TransportName = "flv" | "fmp4" | "hls"

export interface TransportFailure {
  /** `closed`: the stream ended or the network broke; `codec`: this browser cannot decode it; `media`: broken data. */
  kind: "closed" | "codec" | "media"
  status?: number
  detail?: string
}

export interface TransportHooks {
  /** Data flows; the picture waits for a key frame. */
  onData: () => void
  onCodec: (codec: string) => void
  onFailure: (failure: TransportFailure) => void
}

export interface Transport {
  readonly name: TransportName
  stop: () => void
  /** Bytes received so far, when the transport counts them. */
  bytes?: () => number
  /** Bits per second as the transport itself measures them. */
  bitrate?: () => number
}

export type StartTransport = (video: HTMLVideoElement, url: string, hooks: TransportHooks) => Transport

export interface PlayerStats {
  transport: TransportName
  codec: string
  width: number
  height: number
  fps: number
  bitrate: number | null
  /** Seconds between the newest data and what is shown. */
  delay: number
  dropped: number
}

/** Why it ended or failed, worded for the person in front of it. */
export interface Ending {
  code: string
  title: string
  detail: string
  advice: string
  at: string | null
}
