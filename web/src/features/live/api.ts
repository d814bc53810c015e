import type { OpenedSession, Playing, Presets, PresetOrder, PtzAnswer, PtzOrder, Recordings, Steering } from "@/core/api/types"
import type { PlayerPorts } from "@/core/player/types"
import { API, api, commonHeaders, unwrap } from "@/core/request/http"

const path = (id: string): { path: { id: string } } => ({ path: { id } })

/** What the player needs to open, watch over and close one camera's picture. */
export function portsFor(code: string, reason: () => string): PlayerPorts {
  return ports(() => {
    const body = { action: "live" as const, reason: reason() }
    return unwrap(api.POST("/api/v1/cameras/{code}/sessions", { params: { path: { code } }, body }))
  })
}

/** The same for a recording; moments in milliseconds of the epoch. */
export function portsForRecording(
  code: string,
  reason: string,
  stretch: { from: number; to: number },
  opened: (session: OpenedSession) => void,
): PlayerPorts {
  const [from, to] = [new Date(stretch.from).toISOString(), new Date(stretch.to).toISOString()]
  return ports(async () => {
    const body = { action: "playback" as const, reason, from, to }
    const session = await unwrap(api.POST("/api/v1/cameras/{code}/sessions", { params: { path: { code } }, body }))
    opened(session)
    return session
  })
}

function ports(open: () => Promise<OpenedSession>): PlayerPorts {
  return {
    open,
    fresh: async (id) => (await unwrap(api.POST("/api/v1/sessions/{id}/urls", { params: path(id) }))).urls,
    status: (id) => unwrap(api.GET("/api/v1/sessions/{id}", { params: path(id) })),
    // Also works while the page goes away.
    close: (id) => {
      void fetch(`${API}/sessions/${id}`, {
        method: "DELETE",
        headers: commonHeaders(),
        credentials: "same-origin",
        keepalive: true,
      }).catch(() => undefined)
    },
  }
}

export function steer(session: string, action: Steering, value?: number): Promise<Playing> {
  const body = { action, ...(value === undefined ? {} : { value }) }
  return unwrap(api.POST("/api/v1/sessions/{id}/control", { params: path(session), body }))
}

/** What was recorded between two moments; at most 31 days. Asked of the device itself, so it may take a while. */
export function listRecordings(code: string, from: string, to: string): Promise<Recordings> {
  return unwrap(api.GET("/api/v1/cameras/{code}/recordings", { params: { path: { code }, query: { from, to } } }))
}

export function sendPtz(code: string, body: PtzOrder): Promise<PtzAnswer> {
  return unwrap(api.POST("/api/v1/cameras/{code}/ptz", { params: { path: { code } }, body }))
}

export function listPresets(code: string): Promise<Presets> {
  return unwrap(api.GET("/api/v1/cameras/{code}/presets", { params: { path: { code } } }))
}

export function changePreset(code: string, body: PresetOrder): Promise<unknown> {
  return unwrap(api.POST("/api/v1/cameras/{code}/presets", { params: { path: { code } }, body }))
}
