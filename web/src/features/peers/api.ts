import type { Channel, Page, Peer } from "@/core/api/types"
import { http } from "@/core/request/http"

export interface NewPeer {
  code: string
  name: string
  organisation: string
  media_transport: string
}

export const listPeers = (cursor?: string): Promise<Page<Peer>> => http.get("/peers", { cursor, limit: 100 })
export const getPeer = (id: number): Promise<Peer> => http.get(`/peers/${String(id)}`)
export const listChannels = (id: number, cursor?: string): Promise<Page<Channel>> =>
  http.get(`/peers/${String(id)}/channels`, { cursor, limit: 100 })
export const createPeer = (body: NewPeer): Promise<Peer> => http.post("/peers", body)
export const queryCatalogue = (id: number): Promise<unknown> => http.post(`/peers/${String(id)}/catalogue`)
