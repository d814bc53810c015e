import type { AuditEntry, Checkpoint, Page, Verification } from "@/core/api/types"
import { http } from "@/core/request/http"

export const FILTERS = ["q", "action", "person", "organisation", "camera", "grant", "from", "to"] as const

export const listEntries = (filter: Record<string, string>, cursor?: string): Promise<Page<AuditEntry>> =>
  http.get("/audit/entries", { ...filter, cursor, limit: 100 })
export const listCheckpoints = (cursor?: string): Promise<Page<Checkpoint>> => http.get("/audit/checkpoints", { cursor })
export const verify = (): Promise<Verification> => http.post("/audit/verify")
