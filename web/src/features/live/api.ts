import type { PlayerPorts } from "@/core/player/types"
import { API, api, commonHeaders, unwrap } from "@/core/request/http"

const path = (id: string): { path: { id: string } } => ({ path: { id } })

/** What the player needs to open, watch over and close one camera's picture. */
export function portsFor(code: string, reason: () => string): PlayerPorts {
  return {
    open: () => {
      const body = { action: "live" as const, reason: reason() }
      return unwrap(api.POST("/api/v1/cameras/{code}/sessions", { params: { path: { code } }, body }))
    },
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
