import type { Camera, CameraChange, CameraDetail, CameraViewer, MapAnswer, Organisation, Page, Region } from "@/core/api/types"
import type { Box } from "@/core/map/geometry"
import { api, unwrap } from "@/core/request/http"
import type { operations } from "@/core/api/schema"

type ListQuery = NonNullable<operations["cameras_api_v1_cameras_get"]["parameters"]["query"]>

/** What a list or map of cameras is narrowed by; the same words stand in the page's address. */
export type CameraFilter = Pick<ListQuery, "q" | "region" | "organisation" | "status" | "sharing_class" | "sight">

export const FILTER_KEYS = ["q", "region", "organisation", "status", "sharing_class", "sight"] as const

export function listCameras(
  filter: CameraFilter & { bbox?: string },
  cursor?: string,
  signal?: AbortSignal,
  limit = 50,
): Promise<Page<Camera>> {
  return unwrap(api.GET("/api/v1/cameras", { params: { query: { ...filter, cursor, limit } }, signal }))
}

export function cameraMap(filter: CameraFilter, box: Box, zoom: number, signal?: AbortSignal): Promise<MapAnswer> {
  const query = { ...filter, bbox: boxText(box), zoom: Math.round(zoom * 10) / 10 }
  return unwrap(api.GET("/api/v1/cameras/map", { params: { query }, signal })) as Promise<MapAnswer>
}

export function boxText(box: Box): string {
  return box.map((value) => value.toFixed(6)).join(",")
}

export function getCamera(code: string, signal?: AbortSignal): Promise<CameraDetail> {
  return unwrap(api.GET("/api/v1/cameras/{code}", { params: { path: { code } }, signal })) as Promise<CameraDetail>
}

export function cameraHistory(code: string, cursor?: string): Promise<Page<CameraChange>> {
  return unwrap(api.GET("/api/v1/cameras/{code}/history", { params: { path: { code }, query: { cursor } } }))
}

export async function cameraViewers(code: string): Promise<CameraViewer[]> {
  return (await unwrap(api.GET("/api/v1/cameras/{code}/access", { params: { path: { code } } }))).items
}

export async function listRegions(): Promise<Region[]> {
  return (await unwrap(api.GET("/api/v1/regions"))).items
}

export async function listOrganisations(): Promise<Organisation[]> {
  return (await unwrap(api.GET("/api/v1/organisations"))).items
}
