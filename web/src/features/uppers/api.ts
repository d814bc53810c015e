import type { NewUpper, NewUpperRight, Page, SharedCamera, Upper, UpperChanges, UpperRight } from "@/core/api/types"
import { api, unwrap } from "@/core/request/http"
import type { TraceMessage } from "@/core/trace/messages"

const path = (id: number): { path: { upper_id: number } } => ({ path: { upper_id: id } })
/** Says which state a change was made upon; somebody else's change in between is refused. */
const upon = (version: number): { "If-Match": string } => ({ "If-Match": `"${String(version)}"` })

export async function listUppers(): Promise<Upper[]> {
  return (await unwrap(api.GET("/api/v1/uppers"))).items
}

export function getUpper(id: number): Promise<Upper> {
  return unwrap(api.GET("/api/v1/uppers/{upper_id}", { params: path(id) }))
}

export function createUpper(body: NewUpper): Promise<Upper> {
  return unwrap(api.POST("/api/v1/uppers", { body }))
}

export function changeUpper(id: number, body: UpperChanges, version: number): Promise<Upper> {
  return unwrap(api.PATCH("/api/v1/uppers/{upper_id}", { params: path(id), body, headers: upon(version) }))
}

export function removeUpper(id: number, version: number): Promise<unknown> {
  return unwrap(api.DELETE("/api/v1/uppers/{upper_id}", { params: path(id), headers: upon(version) }))
}

export function setPassword(id: number, password: string): Promise<unknown> {
  return unwrap(api.POST("/api/v1/uppers/{upper_id}/password", { params: path(id), body: { password } }))
}

export function listShared(id: number, cursor?: string): Promise<Page<SharedCamera>> {
  return unwrap(api.GET("/api/v1/uppers/{upper_id}/cameras", { params: { ...path(id), query: { cursor, limit: 50 } } }))
}

export async function listRights(id: number): Promise<UpperRight[]> {
  return (await unwrap(api.GET("/api/v1/uppers/{upper_id}/rights", { params: path(id) }))).items
}

export function giveRight(id: number, body: NewUpperRight): Promise<UpperRight> {
  return unwrap(api.POST("/api/v1/uppers/{upper_id}/rights", { params: path(id), body }))
}

export function endRight(id: number, right: number, reason: string): Promise<unknown> {
  const params = { path: { upper_id: id, right_id: right }, query: { reason } }
  return unwrap(api.DELETE("/api/v1/uppers/{upper_id}/rights/{right_id}", { params }))
}

export function giveAlias(id: number, camera: string, alias: string): Promise<unknown> {
  return unwrap(api.POST("/api/v1/uppers/{upper_id}/aliases", { params: path(id), body: { camera, alias } }))
}

export async function readTrace(id: number): Promise<TraceMessage[]> {
  return (await unwrap(api.GET("/api/v1/uppers/{upper_id}/trace", { params: path(id) }))).items
}
