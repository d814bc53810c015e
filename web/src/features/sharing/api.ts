import type { DecisionBody, Grant, GrantItem, Page, RequestBody, RequestItem, ShareRequest, Vocabulary } from "@/core/api/types"
import type { operations } from "@/core/api/schema"
import { api, unwrap } from "@/core/request/http"

const path = (id: number): { path: { id: number } } => ({ path: { id } })
const asRequest = (answer: Promise<unknown>): Promise<ShareRequest> => answer as Promise<ShareRequest>
const asGrant = (answer: Promise<unknown>): Promise<Grant> => answer as Promise<Grant>

export type RequestFilter = Pick<
  NonNullable<operations["list_requests_api_v1_share_requests_get"]["parameters"]["query"]>,
  "state" | "mine" | "todo"
>
export type GrantFilter = Pick<
  NonNullable<operations["list_grants_api_v1_grants_get"]["parameters"]["query"]>,
  "state" | "organisation" | "camera"
>

export function listRequests(filter: RequestFilter, cursor?: string): Promise<Page<RequestItem>> {
  return unwrap(api.GET("/api/v1/share-requests", { params: { query: { ...filter, cursor, limit: 50 } } }))
}

export function getRequest(id: number): Promise<ShareRequest> {
  return asRequest(unwrap(api.GET("/api/v1/share-requests/{id}", { params: path(id) })))
}

export function createRequest(body: RequestBody, key: string): Promise<ShareRequest> {
  const params = { header: { "Idempotency-Key": key } }
  return asRequest(unwrap(api.POST("/api/v1/share-requests", { params, body })))
}

export function changeRequest(id: number, body: RequestBody, version: number): Promise<ShareRequest> {
  const params = { ...path(id), header: { "If-Match": `"${String(version)}"` } }
  return asRequest(unwrap(api.PATCH("/api/v1/share-requests/{id}", { params, body })))
}

export function submitRequest(id: number): Promise<ShareRequest> {
  return asRequest(unwrap(api.POST("/api/v1/share-requests/{id}/submit", { params: path(id) })))
}

export function withdrawRequest(id: number): Promise<ShareRequest> {
  return asRequest(unwrap(api.POST("/api/v1/share-requests/{id}/withdraw", { params: path(id) })))
}

export function decide(id: number, body: DecisionBody): Promise<ShareRequest> {
  return asRequest(unwrap(api.POST("/api/v1/share-requests/{id}/decisions", { params: path(id), body })))
}

export function listGrants(filter: GrantFilter, cursor?: string): Promise<Page<GrantItem>> {
  return unwrap(api.GET("/api/v1/grants", { params: { query: { ...filter, cursor, limit: 50 } } }))
}

export function getGrant(id: number): Promise<Grant> {
  return asGrant(unwrap(api.GET("/api/v1/grants/{id}", { params: path(id) })))
}

export function revokeGrant(id: number, reason: string): Promise<Grant> {
  return asGrant(unwrap(api.POST("/api/v1/grants/{id}/revoke", { params: path(id), body: { reason } })))
}

export function getVocabulary(): Promise<Vocabulary> {
  return unwrap(api.GET("/api/v1/sharing/vocabulary"))
}
