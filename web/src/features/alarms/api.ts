import type { Alarm, Page, Peer } from "@/core/api/types"
import { api, unwrap } from "@/core/request/http"

export interface AlarmFilter {
  confirmed?: boolean
  peer?: number
  priority?: number
}

export function listAlarms(filter: AlarmFilter, cursor?: string): Promise<Page<Alarm>> {
  return unwrap(api.GET("/api/v1/alarms", { params: { query: { ...filter, cursor, limit: 50 } } })) as Promise<Page<Alarm>>
}

/** `reset` also tells the device, which may stay silent until then. */
export function confirmAlarm(id: number, note: string, reset: boolean): Promise<unknown> {
  return unwrap(api.POST("/api/v1/alarms/{alarm_id}/confirm", { params: { path: { alarm_id: id } }, body: { note, reset } }))
}

export function listPeers(): Promise<Page<Peer>> {
  return unwrap(api.GET("/api/v1/peers", { params: { query: { limit: 500 } } }))
}
