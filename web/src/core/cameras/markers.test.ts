import { describe, expect, it } from "vitest"
import type { CameraLike } from "@/core/api/types"
import { toMarkers } from "./markers"

function camera(code: string, more: Partial<CameraLike> = {}): CameraLike {
  return {
    code,
    name: code,
    organisation: { id: 1, name: "unit" },
    region_name: "",
    place: null,
    longitude: 116.5,
    latitude: 31.7,
    sensitive: false,
    sharing_class: "conditional",
    ...more,
  }
}

const live = { see: "grant", live: true, until: null, grant: 1 } as const

describe("toMarkers", () => {
  it("stacks cameras of one point and spreads them when asked", () => {
    const cameras = [camera("1"), camera("2"), camera("3", { longitude: 116.6 })]
    const closed = toMarkers({ clusters: [], cameras }, new Set(), null)
    expect(closed.map((marker) => marker.kind)).toEqual(["stack", "camera"])
    const open = toMarkers({ clusters: [], cameras }, new Set(), closed[0]!.id)
    expect(open.map((marker) => marker.id)).toEqual(["1", "2", "3"])
    expect(open[0]!.offset).not.toEqual(open[1]!.offset)
  })
  it("tells by shape what I may do there", () => {
    const cameras = [
      camera("1", { access: live, online: true, longitude: 116.1 }),
      camera("2", { access: live, online: false, longitude: 116.2 }),
      camera("3", { longitude: 116.3 }),
      camera("4", { sharing_class: "none", longitude: 116.4 }),
      camera("5", { longitude: 116.5 }),
      camera("6", { longitude: null }),
    ]
    const tones = toMarkers({ clusters: [], cameras }, new Set(["5"]), null).map((marker) => marker.tone)
    expect(tones).toEqual(["mine", "bad", "open", "closed", "chosen"])
  })
})
