import type { AuditEntry, Checkpoint, Page, Verification } from "@/core/api/types"
import { api, unwrap } from "@/core/request/http"

export const FILTERS = ["q", "action", "person", "organisation", "camera", "grant", "from", "to"] as const
export type EntryFilter = Partial<Record<(typeof FILTERS)[number], string>>

export function listEntries(filter: EntryFilter, cursor?: string): Promise<Page<AuditEntry>> {
  return unwrap(api.GET("/api/v1/audit/entries", { params: { query: { ...filter, cursor, limit: 100 } } }))
}

export function listCheckpoints(cursor?: string): Promise<Page<Checkpoint>> {
  return unwrap(api.GET("/api/v1/audit/checkpoints", { params: { query: { cursor } } }))
}

export function verify(): Promise<Verification> {
  return unwrap(api.POST("/api/v1/audit/verify"))
}
