import type {
  Camera,
  CameraChange,
  CameraDetail,
  CameraViewer,
  MapAnswer,
  Organisation,
  Page,
  Region,
} from "@/core/api/types"
import type { Box } from "@/core/map/geometry"
import { http } from "@/core/request/http"

/** What a list or map of cameras is narrowed by; the same words stand in the page's address. */
export interface CameraFilter {
  q?: string
  region?: string
  organisation?: string
  status?: string
  sharing_class?: string
  sight?: string
}

export const FILTER_KEYS = ["q", "region", "organisation", "status", "sharing_class", "sight"] as const

export function listCameras(
  filter: CameraFilter & { bbox?: string },
  cursor?: string,
  signal?: AbortSignal,
  limit = 50,
): Promise<Page<Camera>> {
  return http.get("/cameras", { ...filter, cursor, limit }, signal)
}

export function cameraMap(filter: CameraFilter, box: Box, zoom: number, signal?: AbortSignal): Promise<MapAnswer> {
  return http.get("/cameras/map", { ...filter, bbox: boxText(box), zoom: Math.round(zoom * 10) / 10 }, signal)
}

export function boxText(box: Box): string {
  return box.map((value) => value.toFixed(6)).join(",")
}

export const getCamera = (code: string, signal?: AbortSignal): Promise<CameraDetail> =>
  http.get(`/cameras/${code}`, undefined, signal)

export const cameraHistory = (code: string, cursor?: string): Promise<Page<CameraChange>> =>
  http.get(`/cameras/${code}/history`, { cursor })

export const cameraViewers = (code: string): Promise<Page<CameraViewer>> => http.get(`/cameras/${code}/access`)

function items<T>(answer: Page<T> | T[]): T[] {
  return Array.isArray(answer) ? answer : answer.items
}

export const listRegions = async (): Promise<Region[]> => items(await http.get<Page<Region> | Region[]>("/regions"))

export const listOrganisations = async (): Promise<Organisation[]> =>
  items(await http.get<Page<Organisation> | Organisation[]>("/organisations", { limit: 500 }))
