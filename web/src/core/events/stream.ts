import { API, commonHeaders } from "@/core/request/http"
import { SseParser, type ServerEvent } from "./sse"

/**
 * What happens at the node, as it happens (`GET /api/v1/events`). One connection per page, read by `fetch`, so that
 * every name under a kind arrives without a list of names here. It comes back by itself with growing pauses.
 */
export type EventKind = "session" | "filing" | "request" | "grant" | "peer" | "upper" | "alarm"

export interface NodeEvent {
  kind: EventKind
  /** What happened: `ended`, `progress`, `submitted`, … */
  verb: string
  body: Record<string, unknown>
}

type Listener = (event: NodeEvent) => void

const KINDS = new Set<string>(["session", "filing", "request", "grant", "peer", "upper", "alarm"])
/** The node beats every 15 s; a connection that is silent for longer is dead without saying so. */
const SILENCE = 40_000

const listeners = new Map<EventKind, Set<Listener>>()
const connectionListeners = new Set<(connected: boolean) => void>()
let running: AbortController | null = null

function tell({ event, data }: ServerEvent): void {
  const [kind = "", verb = ""] = event.split(".", 2)
  if (!KINDS.has(kind)) return
  let body: unknown
  try {
    body = JSON.parse(data)
  } catch {
    return
  }
  if (typeof body !== "object" || body === null) return
  const told = { kind: kind as EventKind, verb, body: body as Record<string, unknown> }
  for (const listener of listeners.get(told.kind) ?? []) listener(told)
}

function connected(yes: boolean): void {
  for (const listener of connectionListeners) listener(yes)
}

async function read(signal: AbortSignal): Promise<void> {
  const silence = new AbortController()
  let timer = setTimeout(() => { silence.abort() }, SILENCE)
  const response = await fetch(`${API}/events`, {
    headers: { ...commonHeaders(), Accept: "text/event-stream" },
    credentials: "same-origin",
    signal: AbortSignal.any([signal, silence.signal]),
  })
  if (!response.ok || response.body === null) throw new Error(`events ${String(response.status)}`)
  connected(true)
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  const parser = new SseParser()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    clearTimeout(timer)
    timer = setTimeout(() => { silence.abort() }, SILENCE)
    for (const event of parser.push(decoder.decode(value, { stream: true }))) tell(event)
  }
  clearTimeout(timer)
}

async function follow(signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    const started = Date.now()
    await read(signal).catch(() => undefined)
    if (signal.aborted) return
    connected(false)
    failures = Date.now() - started > 10_000 ? 0 : failures + 1
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** failures, 20_000)))
  }
}

export function openEvents(): void {
  if (running !== null) return
  running = new AbortController()
  void follow(running.signal)
}

export function closeEvents(): void {
  running?.abort()
  running = null
}

/** Returns the way to stop listening. */
export function onEvent(kind: EventKind, listener: Listener): () => void {
  const set = listeners.get(kind) ?? new Set()
  listeners.set(kind, set)
  set.add(listener)
  return () => {
    set.delete(listener)
  }
}

export function onConnection(listener: (connected: boolean) => void): () => void {
  connectionListeners.add(listener)
  return () => {
    connectionListeners.delete(listener)
  }
}
