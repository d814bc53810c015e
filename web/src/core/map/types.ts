import type { Box, Place } from "./geometry"

/** Something on the map that can be pressed. */
export interface MapMarker {
  id: string
  place: Place
  /** What a screen reader and the hover text say. */
  label: string
  kind: "camera" | "cluster" | "stack" | "place"
  text?: string
  /** Look of a camera: what I may do there, or its state. */
  tone?: "mine" | "open" | "closed" | "bad" | "chosen"
  sensitive?: boolean
  /** Pixel offset of a fanned-out camera. */
  offset?: { x: number; y: number }
}

export interface MapView {
  box: Box
  zoom: number
}
