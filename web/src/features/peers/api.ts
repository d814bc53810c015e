import type { Channel, NewPeer, Page, Peer } from "@/core/api/types"
import { api, unwrap } from "@/core/request/http"
import type { TraceMessage } from "@/core/trace/messages"

const path = (id: number): { path: { peer_id: number } } => ({ path: { peer_id: id } })

export function listPeers(cursor?: string): Promise<Page<Peer>> {
  return unwrap(api.GET("/api/v1/peers", { params: { query: { cursor, limit: 100 } } }))
}

export function getPeer(id: number): Promise<Peer> {
  return unwrap(api.GET("/api/v1/peers/{peer_id}", { params: path(id) }))
}

export function listChannels(id: number, cursor?: string): Promise<Page<Channel>> {
  return unwrap(api.GET("/api/v1/peers/{peer_id}/channels", { params: { ...path(id), query: { cursor, limit: 500 } } }))
}

export async function readTrace(id: number): Promise<TraceMessage[]> {
  return (await unwrap(api.GET("/api/v1/peers/{peer_id}/trace", { params: path(id) }))).items
}

/** The password of a new peer; it is told once. */
export async function createPeer(body: NewPeer): Promise<string> {
  return (await unwrap(api.POST("/api/v1/peers", { body }))).password
}

export function queryCatalogue(id: number): Promise<unknown> {
  return unwrap(api.POST("/api/v1/peers/{peer_id}/catalogue", { params: path(id) }))
}
