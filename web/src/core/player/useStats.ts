import { onBeforeUnmount, ref, type Ref, type ShallowRef } from "vue"
import type { PlayerStats, Transport } from "./types"

/** Figures of the running picture, once a second. */
export function useStats(
  video: Ref<HTMLVideoElement | null>,
  transport: ShallowRef<Transport | null>,
  codec: Ref<string>,
  tick: () => void,
) {
  const stats = ref<PlayerStats | null>(null)
  let last = { at: 0, frames: 0, bytes: 0 }

  const timer = setInterval(() => {
    tick()
    const element = video.value
    const current = transport.value
    if (element === null || current === null) {
      stats.value = null
      return
    }
    const quality = element.getVideoPlaybackQuality()
    const now = performance.now()
    const bytes = current.bytes?.() ?? null
    const seconds = (now - last.at) / 1000
    const fresh = last.at > 0 && seconds < 5
    const { buffered } = element
    stats.value = {
      transport: current.name,
      codec: codec.value,
      width: element.videoWidth,
      height: element.videoHeight,
      fps: fresh ? Math.max(0, (quality.totalVideoFrames - last.frames) / seconds) : 0,
      bitrate: bytes === null ? (current.bitrate?.() ?? null) : fresh ? Math.max(0, ((bytes - last.bytes) * 8) / seconds) : null,
      delay: buffered.length > 0 ? Math.max(0, buffered.end(buffered.length - 1) - element.currentTime) : 0,
      dropped: quality.droppedVideoFrames,
    }
    last = { at: now, frames: quality.totalVideoFrames, bytes: bytes ?? 0 }
  }, 1000)
  onBeforeUnmount(() => {
    clearInterval(timer)
  })
  return stats
}
