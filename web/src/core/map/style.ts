import type { FeatureCollection, MultiPolygon } from "geojson"
import type { StyleSpecification } from "maplibre-gl"
import outlines from "./data/341500.json"
import { boxAround, type Box, type Place } from "./geometry"

export interface DistrictProperties {
  code: string
  name: string
}

export const districts = outlines as unknown as FeatureCollection<MultiPolygon, DistrictProperties>

/** Names in English; Chinese ones stand in the data. */
export const ENGLISH_NAMES: Record<string, string> = {
  "341502": "Jin'an",
  "341503": "Yu'an",
  "341504": "Yeji",
  "341522": "Huoqiu",
  "341523": "Shucheng",
  "341524": "Jinzhai",
  "341525": "Huoshan",
}

function* corners(): Generator<Place> {
  for (const feature of districts.features)
    for (const polygon of feature.geometry.coordinates)
      for (const ring of polygon) for (const point of ring) yield point as unknown as Place
}

export const CITY_BOX: Box = boxAround(corners()) ?? [115.3, 31, 117.3, 32.6]

/** Where a district's name stands: the middle of the widest cut through its largest ring. */
export function labelPlace(polygons: MultiPolygon["coordinates"]): Place {
  const ring = (polygons[0]?.[0] ?? []) as unknown as Place[]
  const box = boxAround(ring) ?? CITY_BOX
  let best: { width: number; place: Place } = { width: 0, place: [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] }
  for (const share of [0.4, 0.45, 0.5, 0.55, 0.6]) {
    const y = box[1] + (box[3] - box[1]) * share
    const cuts: number[] = []
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
      const [ax, ay] = ring[i] as Place
      const [bx, by] = ring[j] as Place
      if (ay > y !== by > y) cuts.push(ax + ((bx - ax) * (y - ay)) / (by - ay))
    }
    cuts.sort((a, b) => a - b)
    for (let i = 0; i + 1 < cuts.length; i += 2) {
      const from = cuts[i] as number
      const to = cuts[i + 1] as number
      if (to - from > best.width) best = { width: to - from, place: [(from + to) / 2, y] }
    }
  }
  return best.place
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** The backdrop: land and district borders only, from our own data, so that it works in a closed network. */
export function mapStyle(tiles: string | null): StyleSpecification {
  return {
    version: 8,
    sources: {
      districts: { type: "geojson", data: districts },
      ...(tiles === null ? {} : { tiles: { type: "raster", tiles: [tiles], tileSize: 256 } }),
    },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": colour("--gs-map-sea") } },
      {
        id: "land",
        type: "fill",
        source: "districts",
        paint: { "fill-color": colour("--gs-map-land"), "fill-antialias": false },
      },
      ...(tiles === null ? [] : [{ id: "tiles", type: "raster" as const, source: "tiles" }]),
      {
        id: "borders",
        type: "line",
        source: "districts",
        layout: { "line-join": "round" },
        paint: { "line-color": colour("--gs-map-line"), "line-width": ["interpolate", ["linear"], ["zoom"], 7, 1, 12, 2] },
      },
    ],
  }
}
