import { onBeforeUnmount, ref, shallowRef, type Ref } from "vue"
import type { OpenedSession, StreamStep } from "@/core/api/types"
import { onEvent } from "@/core/events/stream"
import { ApiProblem } from "@/core/request/problem"
import { endedBy, failure, refused, type Reason } from "./ending"
import { ladder, type Rung } from "./ladder"
import { codecName } from "./mp4"
import type { Ending, Phase, PlayerPorts, Transport, TransportFailure } from "./types"

const FIRST_FRAME_SECONDS = 12
const STALL_SECONDS = 6
const RECONNECTS = 5
/** The cut reaches the media path before the page can ask why; the reason follows within this time. */
const REASON_TRIES = 6

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Drives one picture from the opening to its end. One instance serves many openings after each other. */
export function usePlayback(video: Ref<HTMLVideoElement | null>, ports: () => PlayerPorts, held: () => boolean = () => false) {
  const phase = ref<Phase>("idle")
  const ending = ref<Ending | null>(null)
  const steps = ref<StreamStep[]>([])
  const codec = ref("")
  const session = shallowRef<OpenedSession | null>(null)
  const transport = shallowRef<Transport | null>(null)
  let rungs: Rung[] = []
  let rung = 0
  let reconnects = 0
  let everPlayed = false
  let run = 0
  let watchdog: ReturnType<typeof setTimeout> | undefined
  let progress = { time: 0, at: 0 }

  function release(): void {
    clearTimeout(watchdog)
    transport.value?.stop()
    transport.value = null
    const element = video.value
    if (element !== null) {
      element.pause()
      element.removeAttribute("src")
      element.load()
    }
  }

  function finish(next: "ended" | "error", why: Ending): void {
    run += 1
    release()
    // What the page gives up by itself must not run on at the server.
    if (next === "error" && session.value !== null) {
      ports().close(session.value.id)
      session.value = null
    }
    ending.value = why
    phase.value = next
  }

  async function start(): Promise<void> {
    stop()
    run += 1
    const mine = run
    ending.value = null
    steps.value = []
    codec.value = ""
    everPlayed = false
    reconnects = 0
    rung = 0
    phase.value = "inviting"
    let opened: OpenedSession
    try {
      opened = await ports().open()
    } catch (error) {
      if (mine !== run) return
      const told = error instanceof ApiProblem ? error.body["steps"] : undefined
      if (Array.isArray(told)) steps.value = told as StreamStep[]
      finish("error", refused(error))
      return
    }
    if (mine !== run) {
      ports().close(opened.id)
      return
    }
    session.value = opened
    steps.value = opened.stream.steps
    rungs = await ladder(opened.urls)
    if (mine !== run) return
    if (rungs.length === 0) finish("error", failure("no_way"))
    else connect(mine)
  }

  function connect(mine: number): void {
    const element = video.value
    const current = rungs[rung]
    if (element === null || current === undefined) return
    release()
    phase.value = everPlayed ? "reconnecting" : "connecting"
    transport.value = current.start(element, current.url, {
      onData: () => {
        if (mine === run && phase.value !== "playing") phase.value = "waiting-key"
        void element.play().catch(() => undefined)
      },
      onCodec: (name) => {
        codec.value = codecName(name)
      },
      onFailure: (failed) => {
        if (mine === run) void recover(mine, failed)
      },
    })
    watchdog = setTimeout(() => {
      if (mine === run) void recover(mine, { kind: "media", detail: "no first frame" })
    }, FIRST_FRAME_SECONDS * 1000)
  }

  /** A used address opens nothing again: every further try takes new ones, by the same or the next way. */
  async function again(mine: number): Promise<void> {
    const current = session.value
    if (current === null) return
    try {
      rungs = await ladder(await ports().fresh(current.id))
    } catch {
      if (mine === run) void recover(mine, { kind: "closed", detail: "no address" })
      return
    }
    if (mine !== run) return
    rung = Math.min(rung, rungs.length - 1)
    connect(mine)
  }

  /** Asks the server what became of the session; true when it is over and the page now says so. */
  async function ended(mine: number, tries: number): Promise<boolean> {
    const current = session.value
    if (current === null) return false
    for (let i = 0; i < tries; i += 1) {
      try {
        const state = await ports().status(current.id)
        if (mine !== run) return true
        if (state.state === "ended" || state.state === "failed") {
          finish("ended", endedBy(state.end_code, state.end_reason, state.ended_at))
          return true
        }
      } catch (error) {
        if (mine !== run) return true
        if (error instanceof ApiProblem && (error.status === 404 || error.status === 401)) {
          finish("ended", error.status === 401 ? endedBy("logged_out", null) : endedBy("closed", null))
          return true
        }
      }
      await pause(300)
      if (mine !== run) return true
    }
    return false
  }

  async function recover(mine: number, failed: TransportFailure): Promise<void> {
    clearTimeout(watchdog)
    transport.value?.stop()
    transport.value = null
    if (failed.kind === "codec") {
      finish("error", failure("codec", { codec: codec.value || "H.265" }))
      return
    }
    if (everPlayed) phase.value = "reconnecting"
    if (await ended(mine, failed.kind === "closed" ? REASON_TRIES : 1)) return
    if (!everPlayed && rung + 1 < rungs.length) {
      rung += 1
      await again(mine)
      return
    }
    reconnects += 1
    if (reconnects > RECONNECTS) {
      finish("error", failure(everPlayed ? "lost" : "no_picture"))
      return
    }
    await pause(1000)
    if (mine === run) await again(mine)
  }

  function onPlaying(): void {
    if (transport.value === null) return
    clearTimeout(watchdog)
    everPlayed = true
    reconnects = 0
    progress = { time: video.value?.currentTime ?? 0, at: performance.now() }
    phase.value = "playing"
  }

  /** Called every second by the stats: a picture that stands still is not playing. */
  function watchStall(): void {
    const element = video.value
    if (phase.value !== "playing" || element === null || document.hidden || held()) {
      progress.at = performance.now()
      return
    }
    if (element.currentTime !== progress.time) progress = { time: element.currentTime, at: performance.now() }
    else if (performance.now() - progress.at > STALL_SECONDS * 1000) void recover(run, { kind: "media", detail: "stalled" })
  }

  /** Stops by the viewer's will; the server hears of it. */
  function stop(): void {
    run += 1
    release()
    if (session.value !== null && phase.value !== "ended") ports().close(session.value.id)
    session.value = null
    if (phase.value !== "ended" && phase.value !== "error") phase.value = "idle"
  }

  /** Stops because the page itself must not go on, for example when its watermark was tampered with. */
  function abort(code: string): void {
    if (session.value !== null) ports().close(session.value.id)
    session.value = null
    finish("ended", failure(code))
  }

  const unlisten = onEvent("session", ({ verb, body }) => {
    const mine = body["id"] ?? body["session_id"]
    if (verb !== "ended" || session.value === null || mine !== session.value.id || phase.value === "ended") return
    const code = typeof body["code"] === "string" ? body["code"] : null
    finish("ended", endedBy(code, body["reason"] as Reason, new Date().toISOString()))
  })
  onBeforeUnmount(() => {
    unlisten()
    stop()
  })

  return { phase, ending, steps, codec, session, transport, start, stop, abort, onPlaying, watchStall }
}
