import { API } from "@/core/request/http"

/** Server-sent events of the node. One connection per page; it comes back by itself with growing pauses. */
export interface EventBodies {
  "session.ended": { id: string; code: string; reason: { zh: string; en: string } | null }
  "filing.progress": { id: number; state: string; progress: number; stage: string | null }
  "request.changed": { id: number; state: string }
  "peer.changed": { id: number; state: string }
}
export type EventName = keyof EventBodies

const NAMES: EventName[] = ["session.ended", "filing.progress", "request.changed", "peer.changed"]

type Listener<N extends EventName> = (body: EventBodies[N]) => void

const listeners = new Map<EventName, Set<(body: never) => void>>()
const connectionListeners = new Set<(connected: boolean) => void>()
let source: EventSource | null = null
let retry: ReturnType<typeof setTimeout> | null = null
let failures = 0

function tell(name: EventName, data: string): void {
  let body: unknown
  try {
    body = JSON.parse(data)
  } catch {
    return
  }
  for (const listener of listeners.get(name) ?? []) listener(body as never)
}

export function openEvents(): void {
  if (source !== null) return
  const opened = new EventSource(`${API}/events`, { withCredentials: true })
  source = opened
  opened.addEventListener("open", () => {
    failures = 0
    for (const listener of connectionListeners) listener(true)
  })
  opened.addEventListener("error", () => {
    for (const listener of connectionListeners) listener(false)
    // A browser gives up after a refused connection; then it is ours to come back.
    if (opened.readyState !== EventSource.CLOSED || source !== opened) return
    source = null
    failures += 1
    retry = setTimeout(openEvents, Math.min(1000 * 2 ** failures, 30_000))
  })
  for (const name of NAMES) {
    opened.addEventListener(name, (event) => {
      tell(name, (event as MessageEvent<string>).data)
    })
  }
}

export function closeEvents(): void {
  if (retry !== null) clearTimeout(retry)
  retry = null
  failures = 0
  source?.close()
  source = null
}

/** Returns the way to stop listening. */
export function onEvent<N extends EventName>(name: N, listener: Listener<N>): () => void {
  const set = listeners.get(name) ?? new Set()
  listeners.set(name, set)
  set.add(listener as (body: never) => void)
  return () => {
    set.delete(listener as (body: never) => void)
  }
}

export function onConnection(listener: (connected: boolean) => void): () => void {
  connectionListeners.add(listener)
  return () => {
    connectionListeners.delete(listener)
  }
}
