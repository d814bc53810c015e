import { afterEach, describe, expect, it } from "vitest"
import { beijing, formatDate, formatRelative, formatTime, nameOf, word } from "./format"
import { setLanguage } from "./index"

afterEach(() => {
  setLanguage("zh-CN")
})

describe("times", () => {
  it("are Beijing's wherever the browser stands", () => {
    expect(formatTime("2026-11-22T16:30:05Z")).toBe("2026-11-23 00:30")
    expect(formatTime("2026-11-22T16:30:05Z", { seconds: true })).toBe("2026-11-23 00:30:05")
    expect(formatDate("2026-12-31T15:59:59Z")).toBe("2026-12-31")
    expect(formatDate("2026-12-31T16:00:00Z")).toBe("2027-01-01")
  })
  it("read the same in English", () => {
    setLanguage("en")
    expect(formatTime("2026-11-22T16:30:05Z")).toBe("2026-11-23 00:30")
  })
  it("go out with the offset", () => {
    expect(new Date(beijing("2026-11-23")).toISOString()).toBe("2026-11-22T16:00:00.000Z")
    expect(beijing("2026-11-23", "18:30")).toBe("2026-11-23T18:30:00+08:00")
  })
  it("are near or far in words", () => {
    setLanguage("en")
    const now = Date.parse("2026-11-22T00:00:00Z")
    expect(formatRelative("2026-11-25T01:00:00Z", now)).toBe("in 3 days")
    expect(formatRelative("2026-11-21T23:58:00Z", now)).toBe("2 minutes ago")
  })
})

describe("word", () => {
  it("knows codes in both languages and leaves an unknown one readable", () => {
    const chinese = word("grant", "revoked")
    setLanguage("en")
    expect(word("grant", "revoked")).toBe("Revoked")
    expect(chinese).not.toBe("Revoked")
    expect(word("grant", "frozen_by_aliens")).toBe("frozen_by_aliens")
    expect(word("grant", null)).toBe("–")
  })
})

describe("nameOf", () => {
  it("takes the English name only for an English reader", () => {
    const unit = { name: "A", name_en: "B" }
    expect(nameOf(unit)).toBe("A")
    setLanguage("en")
    expect([nameOf(unit), nameOf({ name: "A" }), nameOf(null)]).toEqual(["B", "A", "–"])
  })
})
