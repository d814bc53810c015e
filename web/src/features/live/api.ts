import type { OpenedSession, SessionState } from "@/core/api/types"
import { API, commonHeaders, http } from "@/core/request/http"
import type { PlayerPorts } from "@/core/player/types"

export const openSession = (code: string, reason: string): Promise<OpenedSession> =>
  http.post(`/cameras/${code}/sessions`, { action: "live", reason })
export const sessionState = (id: string): Promise<SessionState> => http.get(`/sessions/${id}`)

/** Also works while the page goes away. */
export function closeSession(id: string): void {
  void fetch(`${API}/sessions/${id}`, {
    method: "DELETE",
    headers: commonHeaders(),
    credentials: "same-origin",
    keepalive: true,
  }).catch(() => undefined)
}

export function portsFor(code: string, reason: () => string): PlayerPorts {
  return { open: () => openSession(code, reason()), status: sessionState, close: closeSession }
}
