import { describe, expect, it } from "vitest"
import { beijing } from "@/core/i18n/format"
import { type Block, blocksOf, HOUR, nextRecorded, stretchFrom, ticks, windowAround } from "./timeline"

const DAY = Date.parse(beijing("2026-11-22"))
const iso = (hours: number): string => new Date(DAY + hours * HOUR).toISOString()
const file = (from: number, to: number, type = "time"): { from: string; to: string; type: string } => ({ from: iso(from), to: iso(to), type })
const hours = (blocks: readonly Block[]): number[][] => blocks.map((block) => [(block.from - DAY) / HOUR, (block.to - DAY) / HOUR])

describe("blocksOf", () => {
  it("joins files that follow each other, in whatever order they came, and keeps gaps", () => {
    expect(hours(blocksOf([file(2, 3), file(0, 1), file(1, 2), file(5, 6), file(5.5, 5.6)]))).toEqual([[0, 3], [5, 6]])
  })
  it("keeps alarms apart and leaves out what cannot be read", () => {
    const found = blocksOf([file(0, 2), file(1, 1.5, "alarm"), { from: null, to: iso(3), type: "time" }, file(4, 4), file(9, 8)])
    expect(found.map((block) => block.alarm)).toEqual([false, true])
  })
})

describe("stretchFrom", () => {
  const blocks = blocksOf([file(0, 2), file(2, 3, "alarm"), file(5, 6)])
  it("plays on to the next gap", () => {
    expect(stretchFrom(blocks, DAY + HOUR)).toEqual({ from: DAY + HOUR, to: DAY + 3 * HOUR })
    expect(stretchFrom(blocks, DAY + 4 * HOUR)).toBeNull()
    expect(stretchFrom(blocks, DAY + 6 * HOUR)).toBeNull()
  })
  it("finds what comes after a gap", () => {
    expect(nextRecorded(blocks, DAY + 4 * HOUR)).toBe(DAY + 5 * HOUR)
    expect(nextRecorded(blocks, DAY + HOUR)).toBe(DAY + HOUR)
    expect(nextRecorded(blocks, DAY + 7 * HOUR)).toBeNull()
  })
})

describe("the scale", () => {
  it("has round marks, never more than fit", () => {
    expect(ticks(DAY, 24 * HOUR).map((at) => (at - DAY) / HOUR)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24])
    for (const span of [HOUR, 3 * HOUR, 6 * HOUR, 24 * HOUR]) expect(ticks(DAY + 123_456, span).length).toBeLessThanOrEqual(13)
  })
  it("stays inside the day", () => {
    expect(windowAround(DAY, HOUR, DAY)).toBe(DAY)
    expect(windowAround(DAY, HOUR, DAY + 24 * HOUR)).toBe(DAY + 23 * HOUR)
    expect(windowAround(DAY, HOUR, DAY + 12 * HOUR)).toBe(DAY + 11.5 * HOUR)
  })
})
