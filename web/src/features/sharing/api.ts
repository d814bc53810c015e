import type { Grant, Page, ShareRequest, Vocabulary } from "@/core/api/types"
import { call, http } from "@/core/request/http"

/** What a request asks for, as the form sends it. */
export interface RequestBody {
  title?: string
  cameras: string[]
  actions: string[]
  purpose: string
  legal_basis: string
  valid_from: string
  valid_to: string
  hours: { days: number[]; from: string; to: string } | null
  playback_hours: number | null
  concurrency: number
  delivery: string[]
}

export interface ItemDecision {
  camera: string
  outcome: "approved" | "refused" | "narrowed"
  reason?: string
  narrow?: Record<string, unknown>
}

export interface DecisionBody {
  stage: "consult" | "approve"
  outcome?: string
  items: ItemDecision[]
  comment: string
}

const at = (id: number): string => `/share-requests/${String(id)}`

export const listRequests = (filter: Record<string, string>, cursor?: string): Promise<Page<ShareRequest>> =>
  http.get("/share-requests", { ...filter, cursor, limit: 50 })
export const getRequest = (id: number): Promise<ShareRequest> => http.get(at(id))
export const createRequest = (body: RequestBody, key: string): Promise<ShareRequest> =>
  http.post("/share-requests", body, { "Idempotency-Key": key })
export const changeRequest = (id: number, body: RequestBody, version: number): Promise<ShareRequest> =>
  call("PATCH", at(id), { body, headers: { "If-Match": `"${String(version)}"` } })
export const submitRequest = (id: number): Promise<ShareRequest> => http.post(`${at(id)}/submit`)
export const withdrawRequest = (id: number): Promise<ShareRequest> => http.post(`${at(id)}/withdraw`)
export const decide = (id: number, body: DecisionBody): Promise<ShareRequest> => http.post(`${at(id)}/decisions`, body)
export const listGrants = (filter: Record<string, string>, cursor?: string): Promise<Page<Grant>> =>
  http.get("/grants", { ...filter, cursor, limit: 50 })
export const getGrant = (id: number): Promise<Grant> => http.get(`/grants/${String(id)}`)
export const revokeGrant = (id: number, reason: string): Promise<Grant> =>
  http.post(`/grants/${String(id)}/revoke`, { reason })
export const getVocabulary = (): Promise<Vocabulary> => http.get("/sharing/vocabulary")
