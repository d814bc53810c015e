import { describe, expect, it } from "vitest"
import { boxAround, byPoint, fanOut, inRing, type Place } from "./geometry"

describe("boxAround", () => {
  it("is null for nothing and tight for some", () => {
    expect(boxAround([])).toBeNull()
    expect(boxAround([[116.5, 31.7], [116.2, 31.9]])).toEqual([116.2, 31.7, 116.5, 31.9])
  })
})

describe("inRing", () => {
  const ring: Place[] = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]
  it("keeps to a concave ring", () => {
    expect(inRing([1, 1], ring)).toBe(true)
    expect(inRing([2, 3], ring)).toBe(false)
    expect(inRing([5, 1], ring)).toBe(false)
  })
})

describe("fanOut", () => {
  it("never puts two on one another", () => {
    for (const n of [2, 5, 8, 9, 30, 80]) {
      const places = fanOut(n)
      expect(places).toHaveLength(n)
      for (let i = 0; i < n; i += 1) {
        for (let j = i + 1; j < n; j += 1) {
          const a = places[i]!
          const b = places[j]!
          expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThan(22)
        }
      }
    }
  })
})

describe("byPoint", () => {
  it("joins equal places and leaves out what has none", () => {
    const groups = byPoint([[1, 2], [1.0000001, 2], [3, 4], null] as (Place | null)[], (p) => p)
    expect(groups.map((g) => g.items.length)).toEqual([2, 1])
  })
})
