import type {
  Channel,
  DeviceCommand,
  NewPeer,
  Page,
  Peer,
  PeerAnswer,
  PeerChanges,
  PeerQuestion,
  PeerSubscription,
} from "@/core/api/types"
import { download } from "@/core/request/download"
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
  const trace = await unwrap(api.GET("/api/v1/peers/{peer_id}/trace", { params: path(id) }))
  return (trace as { items: TraceMessage[] }).items
}

/** The same messages as a file, for those who read them with their own tools. */
export function downloadTrace(id: number, format: "text" | "pcap"): Promise<void> {
  return download(`/peers/${String(id)}/trace?format=${format}`, `peer-${String(id)}.${format === "text" ? "txt" : "pcap"}`)
}

/** The password of a new peer; it is told once. */
export async function createPeer(body: NewPeer): Promise<string> {
  return (await unwrap(api.POST("/api/v1/peers", { body }))).password
}

export function queryCatalogue(id: number): Promise<unknown> {
  return unwrap(api.POST("/api/v1/peers/{peer_id}/catalogue", { params: path(id) }))
}

/** Says which state a change was made upon; somebody else's change in between is refused. */
const upon = (version: number): { "If-Match": string } => ({ "If-Match": `"${String(version)}"` })

export function changePeer(id: number, body: PeerChanges, version: number): Promise<unknown> {
  return unwrap(api.PATCH("/api/v1/peers/{peer_id}", { params: path(id), body, headers: upon(version) }))
}

/** A new password; it is told once. */
export async function renewPassword(id: number): Promise<string> {
  return (await unwrap(api.POST("/api/v1/peers/{peer_id}/password", { params: path(id), body: {} }))).password
}

export function removePeer(id: number, version: number): Promise<unknown> {
  return unwrap(api.DELETE("/api/v1/peers/{peer_id}", { params: path(id), headers: upon(version) }))
}

export async function listSubscriptions(id: number): Promise<PeerSubscription[]> {
  return (await unwrap(api.GET("/api/v1/peers/{peer_id}/subscriptions", { params: path(id) }))).items
}

type Package = "catalogue" | "alarm" | "mobile_position" | "ptz_position"

export function subscribe(id: number, name: string, on: boolean): Promise<unknown> {
  const body = { package: name as Package, on }
  return unwrap(api.PUT("/api/v1/peers/{peer_id}/subscriptions", { params: path(id), body }))
}

export async function listAnswers(id: number): Promise<PeerAnswer[]> {
  return (await unwrap(api.GET("/api/v1/peers/{peer_id}/answers", { params: path(id) }))).items
}

export function askPeer(id: number, kind: PeerQuestion): Promise<unknown> {
  return unwrap(api.POST("/api/v1/peers/{peer_id}/queries", { params: path(id), body: { kind, types: [] } }))
}

export function commandChannel(id: number, command: DeviceCommand, confirm?: string): Promise<unknown> {
  const body = { command, ...(confirm === undefined ? {} : { confirm }) }
  return unwrap(api.POST("/api/v1/channels/{channel_id}/commands", { params: { path: { channel_id: id } }, body }))
}
