import { describe, expect, it } from "vitest"
import { disagreements } from "./disagreements"

const camera = { name: "A", longitude: 116.5, latitude: 31.7, status: 1 }

describe("disagreements", () => {
  it("is silent when both agree", () => {
    const seen = { name: "A", longitude: 116.5001, latitude: 31.7, status: "on" }
    expect(disagreements({ ...camera, sections: { seen } })).toEqual([])
  })
  it("says name, place and state when they differ", () => {
    const seen = { name: "B", longitude: 116.52, latitude: 31.7, status: "off" }
    expect(disagreements({ ...camera, sections: { seen } })).toHaveLength(3)
  })
  it("says that a declared camera was never seen", () => {
    expect(disagreements({ ...camera, sections: { seen: null } })).toHaveLength(1)
    expect(disagreements(camera)).toEqual([])
  })
})
