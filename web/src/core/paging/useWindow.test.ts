import { describe, expect, it } from "vitest"
import { windowOf } from "./useWindow"

describe("windowOf", () => {
  it("shows what is in view, and the spacers keep the height of everything", () => {
    for (const count of [0, 1, 30, 20_000]) {
      for (const top of [0, 33, 5_000, 659_000, 10_000_000]) {
        const { first, last, before, after } = windowOf(top, 600, 33, count)
        expect(first).toBeGreaterThanOrEqual(0)
        expect(last).toBeLessThanOrEqual(count)
        expect(before + (last - first) * 33 + after).toBe(count * 33)
        expect(last - first).toBeLessThan(40)
      }
    }
  })
})
